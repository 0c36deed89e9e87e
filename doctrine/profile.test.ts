import { it } from 'vitest';
import { openHouse } from './house.ts';
import { invariants, breaches } from './invariants.ts';
it('profile', async () => {
  const house = await openHouse();
  for (let i = 0; i < 150; i += 1) await house.order(await house.customer(i % 2 ? 'tok_visa' : 'tok_authorises_capture_fails'));
  await house.settle();
  for (const one of invariants) { const t = performance.now(); await house.pool.query(one.sql); console.log(Math.round(performance.now() - t), one.name); }
  let t = performance.now(); await breaches({ pool: house.pool }, { quiet: false }); console.log('always', performance.now() - t);
  t = performance.now(); await breaches({ pool: house.pool }, { quiet: true }); console.log('quiet', performance.now() - t);
  t = performance.now(); await breaches({ pool: house.pool, gateway: house.gateway, network: house.network }, { quiet: true }); console.log('all', performance.now() - t);
  await house.close();
}, 120000);

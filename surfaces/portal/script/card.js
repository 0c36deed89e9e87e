// The card goes from this page to the gateway and never to us: what comes back is a name for it.
const place = document.querySelector('[data-card-key]');
const form = place?.closest('form');

if (place && form && window.Stripe) {
  const style = getComputedStyle(document.body);
  const stripe = window.Stripe(place.dataset.cardKey);
  const card = stripe.elements().create('card', {
    style: { base: { fontSize: '17px', color: style.color, fontFamily: style.fontFamily } },
  });
  card.mount(place);
  const said = document.querySelector('[data-card-said]');
  form.addEventListener('submit', async (event) => {
    if (form.elements.token.value !== '') return;
    event.preventDefault();
    const { setupIntent, error } = await stripe.confirmCardSetup(place.dataset.cardSecret, {
      payment_method: { card },
    });
    if (error) {
      said.textContent = error.message;
      return;
    }
    form.elements.token.value = setupIntent.payment_method;
    form.submit();
  });
}

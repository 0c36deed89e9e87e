import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

export const galleryDirectory = fileURLToPath(new URL('./gallery', import.meta.url));

export interface Picture {
  readonly file: string;
  readonly screen: string;
  readonly look: string;
}

/** Screenshots of every screen, each time anew, with a page to look through them. They are not committed. */
export interface Gallery {
  take(page: Page, screen: string, look: string): Promise<void>;
  close(): number;
}

export function openGallery(directory = galleryDirectory): Gallery {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const pictures: Picture[] = [];
  return {
    async take(page, screen, look) {
      const file = `${screen}-${look}`.replace(/[^\w-]+/g, '-').toLowerCase();
      await page.screenshot({ path: join(directory, `${file}.png`), fullPage: true });
      pictures.push({ file: `${file}.png`, screen, look });
    },
    close() {
      writeFileSync(join(directory, 'index.html'), index(pictures));
      return pictures.length;
    },
  };
}

function index(pictures: readonly Picture[]): string {
  const screens = [...new Set(pictures.map(({ screen }) => screen))];
  const figure = ({ file, screen, look }: Picture) =>
    `<figure><img src="${file}" alt="${screen}, ${look}" loading="lazy"><figcaption>${look}</figcaption></figure>`;
  const sections = screens.map(
    (screen) =>
      `<section><h2>${screen}</h2><div>${pictures
        .filter((one) => one.screen === screen)
        .map(figure)
        .join('')}</div></section>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Every screen</title>
<style>body{font:14px system-ui;margin:1rem}div{display:flex;gap:1rem;overflow-x:auto}figure{margin:0}img{height:520px;border:1px solid #8888}</style>
<h1>Every screen</h1>${sections.join('\n')}</html>
`;
}

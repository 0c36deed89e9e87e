// Runs inside each page that is looked at, before the page's own scripts. It watches and answers; it changes nothing.
globalThis.airtimeLook = (() => {
  let shift = 0;
  const add = (entries) => {
    // Nobody typed or clicked before this is asked, and what a browser takes for input is the setting of its window's
    // size: all that moved counts.
    for (const entry of entries) shift += entry.value;
  };
  const observer = new PerformanceObserver((list) => add(list.getEntries()));
  observer.observe({ type: 'layout-shift', buffered: true });

  const named = (element) => {
    const id = element.id ? `#${element.id}` : '';
    const kind = [...element.classList].map((one) => `.${one}`).join('');
    const text = (element.getAttribute('aria-label') ?? element.innerText ?? element.getAttribute('name') ?? '').trim();
    return `${element.tagName.toLowerCase()}${id}${kind} ${JSON.stringify(text.replace(/\s+/g, ' ').slice(0, 40))}`;
  };

  /** What is clipped, or scrolls by itself, does not make the page any wider. */
  const isClipped = (element) => {
    for (let one = element.parentElement; one && one !== document.body; one = one.parentElement) {
      if (getComputedStyle(one).overflowX !== 'visible') return true;
    }
    return false;
  };

  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });

  /** What the tab key has to reach: of the radio buttons of one group any one. */
  function controls() {
    const found = document.querySelectorAll(
      'a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select:not([disabled]), textarea:not([disabled]), summary, [tabindex]:not([tabindex^="-"])',
    );
    // A link that is seen only while it has the focus is still one to reach.
    return [...found].filter((element) => isShown(element) && element.getClientRects().length > 0);
  }

  const keyOf = (element) =>
    element.type === 'radio' ? `radio ${element.form?.id ?? ''} ${element.name}` : controls().indexOf(element);

  const looksOf = (element) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(element);
    return { outlineStyle, outlineWidth, outlineColor, boxShadow };
  };

  return {
    /** What was painted is counted two frames later. */
    async settle() {
      const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      const until = performance.now() + 5000;
      await frame();
      while (performance.getEntriesByName('first-contentful-paint').length === 0 && performance.now() < until)
        await frame();
      await frame();
      return true;
    },
    figures() {
      add(observer.takeRecords());
      const [painted] = performance.getEntriesByName('first-contentful-paint');
      const root = document.documentElement;
      const tooWide =
        root.scrollWidth > root.clientWidth
          ? [...document.body.querySelectorAll('*')]
              .filter(
                (element) =>
                  isShown(element) &&
                  element.getBoundingClientRect().right > root.clientWidth + 1 &&
                  !isClipped(element),
              )
              .slice(0, 3)
              .map(named)
          : undefined;
      return {
        title: document.title,
        language: root.lang,
        headings: document.querySelectorAll('h1').length,
        mains: document.querySelectorAll('main').length,
        viewport: document.querySelector('meta[name=viewport]')?.content ?? '',
        firstPaintMs: painted ? painted.startTime : null,
        shift,
        tooWide: tooWide ?? null,
        brokenImages: [...document.images].filter((image) => image.complete && image.naturalWidth === 0).map(named),
      };
    },
    /** Every control that is to be reached, by a key that `focused` answers with. */
    expected() {
      return [...new Map(controls().map((element) => [keyOf(element), named(element)]))];
    },
    /** Where the focus is, and whether a person would see it there. */
    focused() {
      const element = document.activeElement;
      if (!element || element === document.body || element === document.documentElement) return null;
      const focused = looksOf(element);
      const box = element.getBoundingClientRect();
      const isInView = box.bottom > 0 && box.top < window.innerHeight && box.right > 0 && box.left < window.innerWidth;
      const hasOutline =
        focused.outlineStyle !== 'none' &&
        Number.parseFloat(focused.outlineWidth) >= 1 &&
        !/rgba\(.*, 0\)|transparent/.test(focused.outlineColor);
      // Something that lies over it would hide it: a bar that sticks to an edge.
      const x = Math.min(Math.max(box.left + box.width / 2, 0), window.innerWidth - 1);
      const y = Math.min(Math.max(box.top + box.height / 2, 0), window.innerHeight - 1);
      const top = document.elementFromPoint(x, y);
      const isOnTop =
        top === null ||
        element.contains(top) ||
        top.contains(element) ||
        [...(element.labels ?? [])].some((one) => one.contains(top));
      return {
        key: keyOf(element),
        name: named(element),
        isSeen: isInView && isOnTop && (hasOutline || focused.boxShadow !== 'none'),
        why: !isInView ? 'it is out of view' : !isOnTop ? `${named(top)} lies over it` : 'nothing marks it',
      };
    },
    /** What a page says and offers, for a comparison of a page with scripts and one without. */
    offers() {
      const texts = (selector, of) => [...document.querySelectorAll(selector)].filter(isShown).map(of);
      return {
        headings: texts('h1, h2, h3', (one) => one.innerText.trim()),
        links: texts('a[href]', (one) => one.getAttribute('href')),
        fields: texts('input:not([type=hidden]), select, textarea', (one) => one.name),
        buttons: texts('button', (one) => one.innerText.trim()),
      };
    },
  };
})();

import { type ComponentChildren, createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { assetPath } from './assets.ts';
import type { Page, Section } from './route.ts';

/** What parts of a page need to know of the visit without being told by each page. */
export interface PageFacts {
  readonly path: string;
  readonly csrf: string;
  readonly signedIn: 'customer' | 'operator' | undefined;
}

const Facts = createContext<PageFacts>({ path: '', csrf: '', signedIn: undefined });
export const usePage = (): PageFacts => useContext(Facts);

/** Tells what stands in it of the visit. */
export function PageScope({ facts, children }: { facts: PageFacts; children: ComponentChildren }) {
  return <Facts.Provider value={facts}>{children}</Facts.Provider>;
}

interface Link {
  readonly to: string;
  readonly label: string;
  /** Whether pages below it count as it. */
  readonly below?: boolean;
}

const accountLinks: readonly Link[] = [
  { to: '/account', label: 'Overview' },
  { to: '/account/receipts', label: 'Receipts', below: true },
  { to: '/account/cards', label: 'Cards', below: true },
  { to: '/account/details', label: 'Details', below: true },
  { to: '/account/help', label: 'Help', below: true },
];

const deskLinks: readonly Link[] = [
  { to: '/desk', label: 'Today' },
  { to: '/desk/customers', label: 'Customers', below: true },
  { to: '/desk/orders', label: 'Orders', below: true },
  { to: '/desk/tickets', label: 'Tickets', below: true },
  { to: '/desk/work', label: 'Work', below: true },
  { to: '/desk/events', label: 'Events', below: true },
  { to: '/desk/chat', label: 'Chat', below: true },
];

function linksOf(section: Section, signedIn: PageFacts['signedIn']): readonly Link[] {
  if (section === 'desk' && signedIn === 'operator') return deskLinks;
  if (section === 'account' && signedIn === 'customer') return accountLinks;
  return [];
}

/** The whole document. What stands in `head` makes the first paint: one stylesheet, and no script that it waits for. */
export function Layout({ page, facts }: { page: Page; facts: PageFacts }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        {page.refreshSeconds === undefined ? null : <meta http-equiv="refresh" content={String(page.refreshSeconds)} />}
        <title>{`${page.title} · Airtime`}</title>
        <link rel="stylesheet" href={assetPath('portal.css')} />
        <link rel="icon" href={favicon} />
        {page.cardOrigin === undefined ? null : <script src={`${page.cardOrigin}/v3/`} defer />}
        {page.scripts.map((name) => (
          <script key={name} src={assetPath(name)} defer />
        ))}
      </head>
      <body class={`section-${page.section}`}>
        <PageScope facts={facts}>
          <a class="skip" href="#main">
            Skip to the content
          </a>
          <Header section={page.section} />
          <main id="main" class={`main ${page.width}`} tabIndex={-1}>
            {page.body}
          </main>
          <footer class="footer">
            <p>Prepaid, on eSIM. You pay first, and nothing more than you see.</p>
          </footer>
        </PageScope>
      </body>
    </html>
  );
}

/** Three arcs above a dot. */
const favicon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%230d7a6c' stroke-width='2.4' stroke-linecap='round'%3E%3Cpath d='M4 10a11 11 0 0 1 16 0M7.5 14a6.4 6.4 0 0 1 9 0'/%3E%3Ccircle cx='12' cy='18.5' r='1.4' fill='%230d7a6c' stroke='none'/%3E%3C/svg%3E";

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path d="M3 9.5a12.6 12.6 0 0 1 18 0M6.7 13.6a7.4 7.4 0 0 1 10.6 0" />
      <circle cx="12" cy="18.4" r="1.7" />
    </svg>
  );
}

function Header({ section }: { section: Section }) {
  const { path, signedIn, csrf } = usePage();
  const home = section === 'desk' ? '/desk' : signedIn === 'customer' ? '/account' : '/plans';
  const links = linksOf(section, signedIn);
  return (
    <header class="header">
      <div class="header-inner">
        <a class="brand" href={home}>
          <Mark />
          <span>Airtime</span>
          {section === 'desk' ? <span class="brand-section">desk</span> : null}
        </a>
        {links.length === 0 ? (
          <span class="nav" />
        ) : (
          <nav class="nav" aria-label="Main">
            <ul>
              {links.map(({ to, label, below }) => {
                const isHere = path === to || (below === true && path.startsWith(`${to}/`));
                return (
                  <li key={to}>
                    <a href={to} aria-current={isHere ? 'page' : undefined}>
                      {label}
                    </a>
                  </li>
                );
              })}
            </ul>
          </nav>
        )}
        <div class="header-end">
          {signedIn === undefined ? (
            section === 'shop' || section === 'account' ? (
              <a class="quiet-link" href="/sign-in">
                Sign in
              </a>
            ) : null
          ) : section === 'shop' && signedIn === 'customer' ? (
            <a class="quiet-link" href="/account">
              Your account
            </a>
          ) : (
            <form method="post" action="/sign-out">
              <input type="hidden" name="csrf" value={csrf} />
              <button type="submit" class="quiet-link">
                Sign out
              </button>
            </form>
          )}
        </div>
      </div>
    </header>
  );
}

/** The head of a page: what it is, and a line about it. */
export function Heading({
  title,
  lead,
  back,
  children,
}: {
  title: string;
  lead?: ComponentChildren;
  back?: { to: string; label: string };
  children?: ComponentChildren;
}) {
  return (
    <div class="heading">
      {back ? (
        <a class="back" href={back.to}>
          <span aria-hidden="true">←</span> {back.label}
        </a>
      ) : null}
      <h1>{title}</h1>
      {lead === undefined ? null : <p class="lead">{lead}</p>}
      {children}
    </div>
  );
}

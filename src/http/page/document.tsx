// The page as a document: everything that surrounds what the browser may render again.
import { renderToString } from 'preact-render-to-string';
import type { HttpResponse } from '../endpoint.ts';
import type { Assets } from './assets.ts';
import type { Model } from './model.ts';
import { Page } from './page.tsx';
import { titleOf } from './words.ts';

/** No external resources, no inline code, and no injected text is executed. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Where scripts do not run, the page reloads itself. */
const RELOAD_SECONDS = 10;

export function documentOf(
  status: number,
  model: Model,
  { script, style }: Pick<Assets, 'script' | 'style'>,
): HttpResponse {
  const html = renderToString(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{titleOf(model)}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={style} />
        <script type="module" src={script} />
        <noscript>
          <meta http-equiv="refresh" content={String(RELOAD_SECONDS)} />
        </noscript>
      </head>
      <body>
        <Page model={model} />
      </body>
    </html>,
  );
  return { status, type: 'text/html; charset=utf-8', body: `<!doctype html>${html}`, headers: HEADERS };
}

// Small parts that the views share.
import type { ComponentChildren } from 'preact';
import type { InstanceOverview } from '../overview.ts';
import { count } from './words.ts';

/** To the second, in UTC: replicas and logs say the same. */
export function Time({ at }: { readonly at: number | string }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <>{at}</>;
  const iso = date.toISOString();
  return <time dateTime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`}</time>;
}

/** In words as well as in colour. */
export function Badge(props: {
  readonly tone: 'good' | 'bad' | 'warn' | 'plain';
  readonly children: ComponentChildren;
}) {
  return <span class={`badge ${props.tone}`}>{props.children}</span>;
}

export function Answered({
  answered,
  size,
  kind,
}: {
  readonly answered: number;
  readonly size: number;
  readonly kind: string;
}) {
  if (kind === 'externalName') return <Badge tone="plain">alias</Badge>;
  const tone = size === 0 ? 'plain' : answered === size ? 'good' : answered === 0 ? 'bad' : 'warn';
  return <Badge tone={tone}>{size === 0 ? 'no instances' : `${count(answered)} of ${count(size)} answered`}</Badge>;
}

export function InstanceLine({ id, addresses, status, answered, reason }: InstanceOverview) {
  return (
    <li>
      <Badge tone={!answered ? 'bad' : status === 'UNKNOWN' ? 'warn' : 'good'}>
        {answered ? status : `OUT ${status}`}
      </Badge>{' '}
      <bdi>{id}</bdi> <span class="quiet">{addresses.join(', ')}</span> <bdi class="reason">{reason}</bdi>
    </li>
  );
}

export function More({ more, href }: { readonly more: number; readonly href?: string }) {
  if (more <= 0) return null;
  const text = `… and ${count(more)} more`;
  return <p class="quiet">{href === undefined ? text : <a href={href}>{text}</a>}</p>;
}

/** A table that scrolls by itself where the window is narrow. */
export function Table(props: {
  readonly label: string;
  readonly heads: readonly string[];
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroll" tabIndex={0} aria-label={props.label}>
      <table>
        <thead>
          <tr>
            {props.heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </section>
  );
}

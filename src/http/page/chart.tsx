// Charts as SVG: a few lines over the last hour, and what they show in words.
import type { Load, LoadSeries } from '../../history/load.ts';
import { count } from './words.ts';

interface Line {
  readonly of: LoadSeries;
  readonly label: string;
}

interface ChartProps {
  readonly load: Load;
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  /** The top of the chart; absent: the largest value. */
  readonly top?: number;
}

export function Charts({ load }: { readonly load: Load }) {
  return (
    <section>
      <h2>The last hour</h2>
      <div class="columns charts">
        <Chart
          {...{ load, title: 'Queries', unit: '/s' }}
          lines={[
            { of: 'queries', label: 'all' },
            { of: 'forwarded', label: 'forwarded' },
          ]}
        />
        <Chart
          {...{ load, title: 'Responses', unit: '/s' }}
          lines={[
            { of: 'noerror', label: 'NOERROR' },
            { of: 'nxdomain', label: 'NXDOMAIN' },
            { of: 'servfail', label: 'SERVFAIL' },
            { of: 'refused', label: 'REFUSED' },
            { of: 'otherCodes', label: 'other' },
          ]}
        />
        <Chart
          {...{ load, title: 'Answered from the cache', unit: ' %', top: 100 }}
          lines={[{ of: 'cachePercent', label: 'hits' }]}
        />
        <Chart
          {...{ load, title: 'Time to respond', unit: 'ms' }}
          lines={[
            { of: 'medianMs', label: 'median' },
            { of: 'slowMs', label: '99th percentile' },
          ]}
        />
      </div>
    </section>
  );
}

const HEIGHT = 60;

function Chart({ load, title, unit, lines, top }: ChartProps) {
  const all = lines.map((line, index) => ({ ...line, index, values: load.series[line.of] }));
  const largest = Math.max(0, ...all.flatMap(({ values }) => values.map((value) => value ?? 0)));
  // A line that is always 0 is omitted from a chart with others.
  const shown = all.filter(({ index, values }) => index === 0 || values.some((value) => value !== null && value > 0));
  const scale = top ?? niceTop(largest);
  const [{ values: first }] = all;
  const isKnown = first.some((value) => value !== null);
  const sentences = shown.map(({ label, values }) => `${label} ${shownValue(values.at(-1), unit)}`);
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>{' '}
        <span class="quiet">{isKnown ? `at most ${shownValue(largest, unit)}` : 'nothing yet'}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${first.length} ${HEIGHT + 2}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}, now: ${sentences.join(', ')}`}
      >
        {[0, 0.5, 1].map((part) => (
          <path key={part} class="grid" d={`M0 ${1 + part * HEIGHT}h${first.length}`} />
        ))}
        {shown.toReversed().map(({ of, index, values }) => (
          <path key={of} class={`line line${index}`} d={pathOf(values, scale)} />
        ))}
      </svg>
      <p class="axis quiet">
        <span>an hour ago</span>
        <span>top: {shownValue(scale, unit)}</span>
        <span>now</span>
      </p>
      <ul class="legend">
        {shown.map(({ of, label, index, values }) => (
          <li key={of} class={`key line${index}`}>
            {label} <strong>{shownValue(values.at(-1), unit)}</strong>
          </li>
        ))}
      </ul>
    </figure>
  );
}

function shownValue(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return 'unknown';
  if (unit === 'ms') return value < 0.1 ? shownValue(value * 1_000, ' µs') : shownValue(value, ' ms');
  return `${value >= 100 ? count(Math.round(value)) : Number(value.toPrecision(3))}${unit}`;
}

/** 1, 2 or 5 times a power of ten. */
function niceTop(largest: number): number {
  if (largest === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= largest) ?? 10 * power;
}

/** Number of steps without a value (no cache lookups) that a line bridges; a longer gap interrupts it. */
const MAX_GAP = 20;

/** In whole units of the view box: shorter, and finer than a screen. */
function pathOf(values: readonly (number | null)[], top: number): string {
  let path = '';
  let before = { x: Number.NEGATIVE_INFINITY, y: 0 };
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const x = index + 1;
    const y = 1 + Math.round(HEIGHT * (1 - Math.min(1, value / top)));
    const gap = x - before.x;
    if (gap > MAX_GAP) path += `M${index} ${y}h1`;
    else path += gap === 1 && y === before.y ? 'h1' : `l${gap} ${y - before.y}`;
    before = { x, y };
  }
  // A path such as h1h1h1 is h3.
  return path.replaceAll(/(?:h1){2,}/g, (run) => `h${run.length / 2}`);
}

// The result for people and for programs.
import { type Answer, showAnswer } from './answers/answer.ts';
import type { Question } from './answers/question.ts';
import type { Difference } from './compare.ts';
import type { Notes } from './questions/notes.ts';
import { REASONS_AS_INSTALLED } from './reasons/explain.ts';
import type { ShadowResult } from './shadow.ts';
import type { Counted } from './tally.ts';

export interface Report extends ShadowResult {
  readonly inputs: readonly { readonly name: string; readonly notes: Notes }[];
  /** Questions that were dropped because more arrived than could be asked. */
  readonly dropped: number;
}

const HEALTH = new Set(REASONS_AS_INSTALLED.filter(({ isHealth }) => isHealth === true).map(({ id }) => id));

export function formatReport(report: Report): string {
  const { tally, failure, inputs, dropped } = report;
  const groups = [...tally.explained].sort(([, a], [, b]) => b.count - a.count);
  const health = groups.filter(([id]) => HEALTH.has(id));
  const others = groups.filter(([id]) => !HEALTH.has(id));
  return [
    ...inputs.flatMap(({ name, notes }) => formatInput(name, notes)),
    ...(dropped > 0 ? [`${count(dropped, 'question')} arrived faster than they could be asked, and were dropped`] : []),
    `${count(tally.asked, 'question')}, ${count(tally.distinct, 'different one')}`,
    `  same answer                    ${padded(tally.same)}`,
    ...(tally.changed > 0 ? [`  same answer when asked again   ${padded(tally.changed)}`] : []),
    ...(tally.sameRecords > 0 ? [`  same but for TTL and RA        ${padded(tally.sameRecords)}`] : []),
    `  documented difference          ${padded(tally.withReasons)}`,
    `  difference without a reason    ${padded(tally.unexplained.count)}`,
    ...formatGroups('Differences caused by health', health),
    ...formatGroups('Other documented differences', others),
    ...formatUnexplained(tally.unexplained),
    ...(failure === undefined ? [] : ['', `Stopped early: ${failure}`]),
  ].join('\n');
}

function formatInput(name: string, { format, read, skipped, damage }: Notes): string[] {
  const things = format.startsWith('pcap') ? 'packet' : format.startsWith('dnstap') ? 'frame' : 'line';
  const reasons = [...skipped].map(
    ([reason, { count: n, firstAt }]) => `    ${padded(n)}  ${reason}, first at ${firstAt}`,
  );
  return [
    `${name}: ${format || 'empty'}, ${count(read, things)}${skipped.size > 0 ? '; skipped:' : ''}`,
    ...reasons,
    ...(damage === undefined ? [] : [`  ends early at ${damage}`]),
  ];
}

function formatGroups(title: string, groups: readonly (readonly [string, Counted])[]): string[] {
  if (groups.length === 0) return [];
  const lines = groups.map(([id, { count: n, examples }]) => {
    const [example] = examples;
    return `  ${padded(n)}  ${id.padEnd(28)} ${example === undefined ? '' : formatQuestion(example.question)}`.trimEnd();
  });
  return ['', `${title} (docs/differences-from-coredns.md):`, ...lines];
}

function formatUnexplained({ count: all, distinct, examples }: Counted): string[] {
  if (all === 0) return [];
  const more = distinct - examples.length;
  return [
    '',
    'Differences without a documented reason:',
    ...examples.flatMap(formatDifference),
    ...(more > 0 ? [`  and ${count(more, 'more question')}`] : []),
  ];
}

/** "-" is only in CoreDNS's answer, "+" only in that of healthdns. */
function formatDifference({ question, coreDns, healthdns }: Difference): string[] {
  const [theirs, ours] = [linesOf(coreDns), linesOf(healthdns)];
  const only = (sign: string, some: readonly string[], others: readonly string[]) =>
    some.filter((line) => !others.includes(line)).map((line) => `    ${sign} ${line}`);
  const lines = [...only('-', theirs, ours), ...only('+', ours, theirs)];
  const more = lines.length - MAX_LINES;
  return [
    `  ${formatQuestion(question)}`,
    ...lines.slice(0, MAX_LINES),
    ...(more > 0 ? [`    and ${count(more, 'more line')}`] : []),
  ];
}

const MAX_LINES = 12;

const linesOf = (answer: Answer | undefined): string[] =>
  answer === undefined ? ['no reply'] : showAnswer(answer).split('\n');

function formatQuestion({ name, type, way: { transport, edns } }: Question): string {
  return `${name} ${type} over ${transport.toUpperCase()}${edns === undefined ? ', without EDNS' : ''}`;
}

const padded = (value: number): string => value.toLocaleString('en').padStart(9);
const count = (value: number, thing: string): string =>
  `${value.toLocaleString('en')} ${thing}${value === 1 ? '' : 's'}`;

export function formatReportJson({ tally, failure, inputs, dropped }: Report): string {
  const counted = ({ count: n, distinct, examples }: Counted) => ({
    count: n,
    distinct,
    examples: examples.map(({ question, coreDns, healthdns }) => ({
      question: formatQuestion(question),
      name: question.name,
      type: question.type,
      transport: question.way.transport,
      coreDns: linesOf(coreDns),
      healthdns: linesOf(healthdns),
    })),
  });
  const { asked, distinct, same, sameRecords, changed, withReasons, unexplained, explained } = tally;
  const value = {
    inputs: inputs.map(({ name, notes: { format, read, skipped, damage } }) => ({
      ...{ name, format, read },
      skipped: Object.fromEntries(skipped),
      ...(damage !== undefined && { damage }),
    })),
    ...{ asked, distinct, dropped, same, sameRecords, changed, explained: withReasons },
    reasons: [...explained].map(([id, one]) => ({ id, isHealth: HEALTH.has(id), ...counted(one) })),
    unexplained: counted(unexplained),
    ...(failure !== undefined && { failure }),
  };
  return JSON.stringify(value, undefined, 2);
}

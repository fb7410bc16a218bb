// A CoreDNS plugin in the migration: how its directives are translated to zones.yaml, and the rows of
// docs/migrating-from-coredns.md about it.
import type { Directive } from './corefile.ts';
import { type BlockContext, type Outcome, seconds } from './draft.ts';

export interface Plugin {
  readonly name: string;
  /** How the plugin itself is written in a Corefile. */
  readonly syntax: string;
  /** Where it went: a key of zones.yaml in backquotes, or "always", "none". */
  readonly healthdns: string;
  /** What differs, for the documentation. */
  readonly note?: string;
  /** Puts the directive into the draft and notes what became of it. */
  migrate(directive: Directive, block: BlockContext): void;
  /** Lines inside its braces. */
  readonly options?: readonly Option[];
}

export interface Option {
  readonly name: string;
  readonly syntax: string;
  readonly healthdns: string;
  readonly note?: string;
  readonly outcome: Outcome;
  /** Ids of docs/differences-from-coredns.md. */
  readonly differences?: readonly string[];
  /** Puts the option into `target`; undefined: nothing is written for it. Returns what is wrong with it, if anything. */
  apply?(args: readonly string[], target: Record<string, unknown>, line: Directive): string | undefined;
}

/** Applies each line of a directive by its option's rule; lines without a rule are noted as dropped. */
export function applyOptions(
  plugin: Plugin,
  directive: Directive,
  target: Record<string, unknown>,
  block: BlockContext,
): void {
  for (const line of directive.lines) {
    const option = plugin.options?.find(({ name }) => name === line.name);
    if (option === undefined) {
      block.note(line, 'dropped', `\`${plugin.name}\` has no option "${line.name}" that is known here`);
      continue;
    }
    const problem = option.apply?.(line.args, target, line);
    if (problem !== undefined) block.note(line, 'dropped', problem);
    else block.note(line, option.outcome, noteOf(option), ...(option.differences ?? []));
  }
}

/** "`key`: note". */
function noteOf({ healthdns, note }: Pick<Option, 'healthdns' | 'note'>): string {
  return note === undefined ? healthdns : `${healthdns}: ${note}`;
}

/** A plugin that needs no key: what it does happens always, or not at all. */
export function keyless(name: string, outcome: Outcome, healthdns: string, note?: string): Plugin {
  return {
    name,
    syntax: `\`${name}\``,
    healthdns,
    note,
    migrate: (directive, block) => block.note(directive, outcome, noteOf({ healthdns, note })),
  };
}

type Target = Record<string, unknown>;

/** An option without an equivalent, or one that needs none. */
export function keylessOption(name: string, outcome: Outcome, healthdns: string, note?: string): Option {
  return { name, syntax: `\`${name}\``, healthdns, outcome, note };
}

/** An option without arguments that is a key with the value `value`. */
export function flag(name: string, key: string, value = true): Option {
  const apply = (_args: readonly string[], target: Target) => set(target, key, value);
  return { name, syntax: `\`${name}\``, healthdns: `\`${key}: ${value}\``, outcome: 'same', apply };
}

/** An option that is one word. */
export function text(name: string, argument: string, key: string): Option {
  const apply = ([word]: readonly string[], target: Target) =>
    word === undefined ? `\`${name}\` needs ${argument}` : set(target, key, word);
  return { name, syntax: `\`${name} ${argument}\``, healthdns: `\`${key}\``, outcome: 'same', apply };
}

/** An option whose words are a list, added to those of further lines. */
export function list(name: string, argument: string, key: string): Option {
  const apply = (args: readonly string[], target: Target) =>
    set(target, key, [...((target[key] as string[] | undefined) ?? []), ...args]);
  return { name, syntax: `\`${name} ${argument}…\``, healthdns: `\`${key}\``, outcome: 'same', apply };
}

/** An option that is a whole number; `unlimited` (0 in CoreDNS) writes nothing. */
export function count(
  name: string,
  key: string,
  limits: { unlimited?: boolean; most?: number; note?: string } = {},
): Option {
  const apply = ([text = '']: readonly string[], target: Target) => {
    if (!/^\d{1,9}$/.test(text)) return `\`${name}\` is a number, not "${text}"`;
    if (limits.unlimited === true && Number(text) === 0) return undefined;
    return set(target, key, Math.min(Number(text), limits.most ?? Number(text)));
  };
  return { name, syntax: `\`${name} N\``, healthdns: `\`${key}\``, note: limits.note, outcome: 'same', apply };
}

/** An option that is a time, within the limits of the key; whole seconds where `whole`. */
export function duration(
  name: string,
  key: string,
  limits: { least?: number; most?: number; whole?: boolean; note?: string } = {},
): Option {
  const apply = ([text = '']: readonly string[], target: Target) => {
    const value = seconds(text);
    if (value === undefined) return `\`${name}\` is a duration such as 10s, not "${text}"`;
    const bounded = Math.min(limits.most ?? Number.POSITIVE_INFINITY, Math.max(limits.least ?? 0, value));
    return set(target, key, limits.whole === true ? Math.round(bounded) : bounded);
  };
  return { name, syntax: `\`${name} DURATION\``, healthdns: `\`${key}\``, note: limits.note, outcome: 'same', apply };
}

/** Writes the key; the value is what an option's `apply` returns where nothing is wrong. */
function set(target: Target, key: string, value: unknown): undefined {
  target[key] = value;
  return undefined;
}

// What a CoreDNS plugin is to the migration: how a directive of it becomes part of zones.yaml, and the rows of
// docs/migrating-from-coredns.md about it.
import type { Directive } from './corefile.ts';
import type { BlockContext, Outcome } from './draft.ts';

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
export function noteOf({ healthdns, note }: Pick<Option, 'healthdns' | 'note'>): string {
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

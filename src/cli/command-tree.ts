// The commands as data, read from commander's definitions: completion scripts and the manual page are generated from it.
import type { Command, Option } from 'commander';

export interface CommandNode {
  /** Without the program: "cache list"; '' for the program itself. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** "[options] <name>", as in its help. */
  readonly usage: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly OptionNode[];
  /** Words that its arguments may be. */
  readonly choices: readonly string[];
  readonly arguments: readonly { readonly name: string; readonly description: string }[];
  /** The help text after the options: exit codes and examples. */
  readonly notes: string;
}

export interface OptionNode {
  /** "-o, --output <file>" */
  readonly flags: string;
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  readonly description: string;
  readonly environment: string | undefined;
}

/** The program first, then each command in the order of its definition. */
export function commandTree(program: Command): CommandNode[] {
  const nodeOf = (command: Command, path: string): CommandNode[] => [
    {
      path,
      summary: command.summary() || command.description(),
      description: command.description(),
      usage: command.usage(),
      commands: visible(command).map((one) => ({ name: one.name(), summary: one.summary() || one.description() })),
      options: [...command.options.filter(({ hidden }) => !hidden).map(optionNode), HELP],
      choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      arguments: command.registeredArguments.map((one) => ({ name: one.name(), description: one.description })),
      notes: notesOf(command),
    },
    ...visible(command).flatMap((one) => nodeOf(one, path === '' ? one.name() : `${path} ${one.name()}`)),
  ];
  return nodeOf(program, '');
}

const visible = (command: Command): Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => command.commands.includes(one));

const HELP: OptionNode = {
  ...{ flags: '-h, --help', names: ['--help', '-h'], takesValue: false, choices: [] },
  ...{ description: 'display help for command', environment: undefined },
};

const optionNode = ({
  flags,
  long,
  short,
  required,
  optional,
  argChoices,
  description,
  envVar,
}: Option): OptionNode => ({
  flags,
  names: [long, short].filter((name) => name !== undefined && name !== null),
  takesValue: required || optional,
  choices: argChoices ?? [],
  description,
  environment: envVar,
});

function notesOf(command: Command): string {
  let whole = '';
  const { writeOut } = command.configureOutput();
  command.configureOutput({ writeOut: (text) => (whole += text) });
  command.outputHelp();
  command.configureOutput({ writeOut: writeOut! });
  return whole.slice(command.helpInformation().length).trim();
}

// The manual page healthdns(1) in man(7) format, generated from the command definitions.
import type { Command } from 'commander';
import { VERSION } from '../version.ts';
import { type CommandNode, commandTree } from './command-tree.ts';

export function manual(program: Command): string {
  const [top, ...commands] = commandTree(program);
  const variables = commands
    .flatMap(({ options }) => options)
    .filter(({ environment }) => environment !== undefined)
    .map(({ environment, flags }) => `.TP\n.B ${escaped(environment!)}\nDefault of ${escaped(flags)}.`);
  return `.TH HEALTHDNS 1 "" "healthdns ${VERSION}" "User Commands"
.SH NAME
healthdns \\- DNS server that answers only with live instances
.SH SYNOPSIS
.B healthdns
.I command
[\\fIoptions\\fR]
.SH DESCRIPTION
${escaped(top.description)}
${notes(top.notes)}
.SH COMMANDS
${commands
  .filter((one) => one.commands.length === 0)
  .map(section)
  .join('\n')}
.SH ENVIRONMENT
${[...new Set(variables)].join('\n')}
.TP
.B NO_COLOR
If it is set and not empty, output has no colours.
.SH SEE ALSO
The pages in docs/ of the package: configuration.md, cli.md, health.md, forwarding.md, cloud\\-map.md, metrics.md.
`;
}

function section({ path, description, usage, arguments: words, options, notes: after }: CommandNode): string {
  const terms = [
    ...words.map(({ name, description: text }) => `.TP\n.I ${escaped(name)}\n${escaped(text)}`),
    ...options.map(({ flags, description: text }) => `.TP\n.B ${escaped(flags)}\n${escaped(text)}`),
  ];
  return `.SS healthdns ${escaped(path)} ${escaped(usage)}
${escaped(description)}
${terms.join('\n')}
${notes(after)}`;
}

/** As it is, line by line. */
const notes = (text: string): string =>
  text === '' ? '.PP' : `.PP\n.nf\n${text.split('\n').map(escaped).join('\n')}\n.fi`;

/** A line that begins with a dot or an apostrophe is not a request. */
const escaped = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');

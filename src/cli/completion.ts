// Completion for bash, zsh and fish. The scripts know the commands, options and choices; everything else is completed as a file.
import type { Command } from 'commander';
import { type CommandNode, commandTree, type OptionNode } from './command-tree.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completion(shell: Shell, program: Command): string {
  return { bash, zsh, fish }[shell](commandTree(program));
}

/** Single-quoted; valid in all three shells. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The patterns " serve" | " cache list": a path and the word that leads to it. */
const pathsOf = (nodes: readonly CommandNode[]): string[] =>
  nodes.filter(({ path }) => path !== '').map(({ path }) => ` ${path}`);

const wordsOf = ({ commands, choices, options }: CommandNode): string[] => [
  ...commands.map(({ name }) => name),
  ...choices,
  ...options.flatMap(({ names }) => names),
];

const withChoices = ({ options }: CommandNode): OptionNode[] => options.filter(({ choices }) => choices.length > 0);

/** In bash and zsh: the commands among the words are in $at. `path` is special in zsh. */
function findPath(nodes: readonly CommandNode[], words: string): string {
  return `  for word in "\${${words}}"; do
    case "$at $word" in
      ${pathsOf(nodes)
        .map((path) => `"${path}"`)
        .join('|')}) at="$at $word" ;;
    esac
  done`;
}

const key = ({ path }: CommandNode): string => (path === '' ? '""' : `" ${path}"`);

function bash(nodes: readonly CommandNode[]): string {
  const choices = nodes.flatMap((node) =>
    withChoices(node).map(
      ({ names, choices: words }) =>
        `    ${names.map((name) => `"${node.path === '' ? '' : ` ${node.path}`}:${name}"`).join('|')}) words=${quoted(words.join(' '))} ;;`,
    ),
  );
  const commands = nodes.map((node) => `    ${key(node)}) words=${quoted(wordsOf(node).join(' '))} ;;`);
  return `# bash completion for healthdns: source <(healthdns completion bash)
_healthdns() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" at="" word words=""
${findPath(nodes, 'COMP_WORDS[@]:1:COMP_CWORD-1')}
  case "$at:$previous" in
${choices.join('\n')}
  esac
  [ -n "$words" ] || case "$at" in
${commands.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _healthdns healthdns
`;
}

function zsh(nodes: readonly CommandNode[]): string {
  const described = (word: string, description: string) => quoted(`${word.replaceAll(':', '\\:')}:${description}`);
  const choices = nodes.flatMap((node) =>
    withChoices(node).map(
      ({ names, choices: words }) =>
        `    ${names.map((name) => `"${node.path === '' ? '' : ` ${node.path}`}:${name}"`).join('|')}) compadd -- ${words.map(quoted).join(' ')}; return ;;`,
    ),
  );
  const commands = nodes.map((node) => {
    const words = [
      ...node.commands.map(({ name, summary }) => described(name, summary)),
      ...node.choices.map((word) => described(word, '')),
    ];
    const options = node.options.flatMap(({ names, description }) => names.map((name) => described(name, description)));
    return `    ${key(node)}) words_=(${words.join(' ')}); options_=(${options.join(' ')}) ;;`;
  });
  return `#compdef healthdns
# zsh completion for healthdns: healthdns completion zsh > "\${fpath[1]}/_healthdns"
_healthdns() {
  local at="" word
  local -a words_ options_
${findPath(nodes, '(@)words[2,CURRENT-1]')}
  case "$at:\${words[CURRENT-1]}" in
${choices.join('\n')}
  esac
  case "$at" in
${commands.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o option options_
  elif (( $#words_ )); then
    _describe command words_ || _files
  else
    _files
  fi
}
if [ "$funcstack[1]" = "_healthdns" ]; then _healthdns "$@"; else compdef _healthdns healthdns; fi
`;
}

function fish(nodes: readonly CommandNode[]): string {
  const lines = nodes.flatMap((node) => {
    const at = `-n ${quoted(`test (__healthdns_path) = "${node.path === '' ? '' : ` ${node.path}`}"`)}`;
    return [
      ...node.commands.map(({ name, summary }) => `complete -c healthdns ${at} -a ${name} -d ${quoted(summary)}`),
      ...(node.choices.length === 0 ? [] : [`complete -c healthdns ${at} -a ${quoted(node.choices.join(' '))}`]),
      ...node.options.map(({ names, takesValue, choices, description }) => {
        const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
        const value = choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : takesValue ? ' -r' : '';
        return `complete -c healthdns ${at} ${flags.join(' ')}${value} -d ${quoted(description)}`;
      }),
    ];
  });
  return `# fish completion for healthdns: healthdns completion fish > ~/.config/fish/completions/healthdns.fish
function __healthdns_path
  set -l path ''
  for word in (commandline -opc)[2..]
    switch "$path $word"
      case ${pathsOf(nodes).map(quoted).join(' ')}
        set path "$path $word"
    end
  end
  echo $path
end
${lines.join('\n')}
`;
}

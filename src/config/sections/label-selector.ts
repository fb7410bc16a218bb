// Label selectors as the API server reads them (k8s.io/apimachinery, labels.Parse): what is wrong with one, in words.
import { shown } from '../reading/problem.ts';

/** It is sent in a URL. */
const MAX_CHARACTERS = 8192;
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
/** Any character that is not white space (of Go: not all that JavaScript takes for it) is in a token. */
const TOKEN = /==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+/g;
const SYMBOL = /^(?:==|!=|[=!<>(),])$/;
const LARGEST = 2n ** 63n - 1n;

class SelectorError extends Error {}

/** What is wrong with a selector such as "app=web,tier in (a, b),!old"; undefined: nothing. */
export function selectorProblem(selector: string): string | undefined {
  if (selector.length > MAX_CHARACTERS)
    return `it has ${selector.length} characters, at most ${MAX_CHARACTERS} are sent`;
  // The next token is the last one.
  const tokens = [...(selector.match(TOKEN) ?? [])].reverse();
  if (tokens.length === 0) return 'it is empty';
  try {
    do requirement(tokens);
    while (tokens.length > 0);
  } catch (error) {
    if (error instanceof SelectorError) return error.message;
    throw error;
  }
  return undefined;
}

/** KEY, !KEY, KEY = VALUE, KEY > NUMBER or KEY in (VALUE, …), and the comma behind it. */
function requirement(tokens: string[]): void {
  const isNegated = tokens.at(-1) === '!';
  if (isNegated) tokens.pop();
  const key = tokens.pop();
  if (key === undefined || SYMBOL.test(key)) throw expected('a label', key);
  checkKey(key);
  if (!isNegated && tokens.length > 0 && tokens.at(-1) !== ',') comparison(tokens);
  const comma = tokens.pop();
  if (comma === undefined) return;
  if (comma !== ',') throw expected('a comma or the end', comma);
  if (tokens.length === 0) throw expected('a label after the comma', undefined);
}

function comparison(tokens: string[]): void {
  const operator = tokens.pop()!;
  if (operator === 'in' || operator === 'notin') {
    values(tokens, operator);
    return;
  }
  if (!['=', '==', '!=', '<', '>'].includes(operator)) throw expected('=, !=, in, notin, < or >', operator);
  const value = tokens.length === 0 || tokens.at(-1) === ',' ? '' : tokens.pop()!;
  checkValue(value);
  if ((operator === '<' || operator === '>') && !(/^\d+$/.test(value) && BigInt(value) <= LARGEST))
    throw expected(`a whole number after ${operator}`, value);
}

/** "(a, b)", with the empty value where one is left out: "()", "(,a)", "(a,,b)". */
function values(tokens: string[], operator: string): void {
  const open = tokens.pop();
  if (open !== '(') throw expected(`( after ${operator}`, open);
  while (tokens.at(-1) !== ')') {
    const token = tokens.pop();
    if (token === ',') continue;
    if (token === undefined) throw expected('a value', token);
    checkValue(token);
    if (tokens.at(-1) !== ',' && tokens.at(-1) !== ')') throw expected(', or )', tokens.at(-1));
  }
  tokens.pop();
}

/** A qualified name: "app", "example.com/app". */
function checkKey(key: string): void {
  const slash = key.indexOf('/');
  if (!NAME.test(key.slice(slash + 1)) || (slash >= 0 && !PREFIX.test(key.slice(0, slash))))
    throw new SelectorError(`"${shown(key)}" cannot be a label`);
}

function checkValue(value: string): void {
  if (SYMBOL.test(value)) throw expected('a value', value);
  if (value !== '' && !NAME.test(value)) throw new SelectorError(`"${shown(value)}" cannot be a label's value`);
}

const expected = (what: string, got: string | undefined) =>
  new SelectorError(`expected ${what}, got ${got === undefined || got === '' ? 'nothing' : `"${shown(got)}"`}`);

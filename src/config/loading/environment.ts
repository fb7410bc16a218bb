// Environment variables in zones.yaml: ${NAME}, ${NAME:-default}, and $${NAME} for the text itself.
import type { Path } from '../../reading/problem.ts';

export type Environment = (name: string) => string | undefined;

const VARIABLE = /(\$?)\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

/**
 * A copy of `value` with variables filled in. A text that consists of one variable becomes a number, true or false if its value is
 * written as one, as if that stood there. `problem` gets the paths of variables that are not set.
 */
export function withEnvironment(
  value: unknown,
  environment: Environment,
  problem: (path: Path, message: string) => void,
  path: Path = [],
): unknown {
  if (typeof value === 'string') return filledIn(value, environment, (message) => problem(path, message));
  if (Array.isArray(value)) return value.map((item, i) => withEnvironment(item, environment, problem, [...path, i]));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [key, withEnvironment(item, environment, problem, [...path, key])] as const,
  );
  // As a parser makes it: a key such as __proto__ is one like any other.
  const copy: Record<string, unknown> = {};
  for (const [key, item] of entries)
    Object.defineProperty(copy, key, { value: item, enumerable: true, writable: true, configurable: true });
  return copy;
}

function filledIn(text: string, environment: Environment, problem: (message: string) => void): unknown {
  if (!text.includes('${')) return text;
  const filled = text.replaceAll(VARIABLE, (whole, dollar: string, name: string, fallback?: string) => {
    if (dollar !== '') return whole.slice(1);
    const value = environment(name) ?? fallback;
    if (value === undefined)
      problem(`the environment variable ${name} is not set: set it, or write \${${name}:-DEFAULT}`);
    return value ?? whole;
  });
  const isOnlyVariable = /^\$\{[^}]*\}$/.test(text);
  if (isOnlyVariable && /^(true|false|-?\d+(\.\d+)?)$/.test(filled))
    return JSON.parse(filled.replace(/^(-?)0+(?=\d)/, '$1'));
  return filled;
}

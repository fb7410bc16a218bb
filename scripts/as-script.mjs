// An ES module as a bundler writes it → the same code as a script, because only of scripts (node:vm) Node.js can be given what
// V8 compiled before. dist/load.js calls it with `exports`, `require` and `__meta`. Imports become constants, so that a call
// costs what it did: that needs exports that are never assigned again, which is checked.
import { parse } from 'acorn';

/** Throws if the module does what such a script cannot. */
export function asScript(code, name) {
  const program = parse(code, { ecmaVersion: 2022, sourceType: 'module' });
  const edits = [];
  const text = ({ start, end }) => code.slice(start, end);
  const replace = ({ start, end }, text) => edits.push({ start, end, text });
  const imports = [];
  const exported = [];
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration') {
      imports.push(required(statement));
      replace(statement, '');
    } else if (statement.type === 'ExportNamedDeclaration' && statement.declaration === null && !statement.source) {
      for (const { local, exported: as } of statement.specifiers) exported.push([as.name ?? as.value, local.name]);
      replace(statement, '');
    } else if (statement.type.startsWith('Export')) throw new Error(`${name}: ${statement.type} is not supported`);
  }
  const locals = new Set(exported.map(([, local]) => local));
  visit(program, (node) => {
    if (node.type === 'AssignmentExpression' && locals.has(node.left.name))
      throw new Error(`${name}: the export ${node.left.name} is assigned again`);
    if (node.type === 'MetaProperty' && node.meta.name === 'import') replace(node, '__meta');
    if (node.type === 'ImportExpression') replace(node, `Promise.resolve().then(()=>require(${text(node.source)}))`);
  });
  let script = code;
  for (const { start, end, text: to } of edits.sort((a, b) => b.start - a.start))
    script = script.slice(0, start) + to + script.slice(end);
  const last = exported.map(([as, local]) => `exports[${JSON.stringify(as)}]=${local};`).join('');
  // Read as Latin-1, which takes no time and half the memory.
  script = script.replaceAll(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `(function(exports,require,__meta){"use strict";${imports.join('')}${script}\n${last}})`;
}

function required({ specifiers, source }) {
  const module = `require(${JSON.stringify(source.value)})`;
  if (specifiers.length === 0) return `${module};`;
  const whole = specifiers.filter(({ type }) => type !== 'ImportSpecifier').map(({ local }) => local.name);
  const named = specifiers
    .filter(({ type }) => type === 'ImportSpecifier')
    .map(({ imported, local }) => `${JSON.stringify(imported.name ?? imported.value)}:${local.name}`);
  const constants = whole.map((local) => `${local}=${module}`);
  if (named.length > 0) constants.push(`{${named.join(',')}}=${module}`);
  return `const ${constants.join(',')};`;
}

function visit(node, call) {
  if (Array.isArray(node)) for (const one of node) visit(one, call);
  else if (typeof node?.type === 'string') {
    call(node);
    for (const value of Object.values(node)) if (typeof value === 'object') visit(value, call);
  }
}

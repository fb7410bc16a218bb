// The small changes that scripts/mutate.mjs makes to JavaScript: each a range of the text and what takes its place. Of an operator
// `runsAt` is where its left side begins: V8 counts the operator itself with the right side, which may not be run.
import { parse } from 'acorn';

const OPERATORS = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '<<': '>>',
  '>>': '<<',
  '>>>': '<<',
  '&': '|',
  '|': '&',
  '^': '&',
  '&&': '||',
  '||': '&&',
  '+=': '-=',
  '-=': '+=',
  '|=': '&=',
  '&=': '|=',
  '++': '--',
  '--': '++',
};

/** Messages for people and types for the engine: no test should depend on them. */
const isText = (node) =>
  (node.type === 'NewExpression' && /Error$/.test(node.callee.name ?? '')) ||
  node.type === 'ThrowStatement' ||
  (node.type === 'CallExpression' && /^(log|warn)$/.test(node.callee.name ?? node.callee.property?.name ?? '')) ||
  node.type === 'ImportDeclaration' ||
  node.type === 'TemplateLiteral';

/** All mutations of a module's text. */
export function mutationsOf(code) {
  const found = [];
  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => collect(node, code, found));
  return found;
}

function visit(node, act) {
  if (isText(node)) return;
  act(node);
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value]) if (typeof child?.type === 'string') visit(child, act);
}

function collect(node, code, found) {
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression':
    case 'AssignmentExpression': {
      const text = OPERATORS[node.operator];
      const start = code.indexOf(node.operator, node.left.end);
      // Beside another `??`, `&&` needs parentheses.
      if (node.operator === '??') {
        const [left, right] = [node.left, node.right].map((side) => code.slice(side.start, side.end));
        found.push({ start: node.start, end: node.end, text: `((${left}) && (${right}))`, what: '?? became &&' });
      } else if (text !== undefined && !isStringSum(node))
        found.push({ start, end: start + node.operator.length, text, runsAt: node.start });
      break;
    }
    case 'UpdateExpression': {
      const start = node.prefix ? node.start : node.end - 2;
      found.push({ start, end: start + 2, text: OPERATORS[node.operator] });
      break;
    }
    case 'UnaryExpression':
      if (node.operator === '!') found.push({ start: node.start, end: node.start + 1, text: '', what: '! removed' });
      break;
    case 'Literal':
      if (typeof node.value === 'boolean') found.push({ start: node.start, end: node.end, text: String(!node.value) });
      if (typeof node.value === 'number') found.push({ start: node.start, end: node.end, text: otherNumber(node) });
      break;
    case 'IfStatement':
    case 'ConditionalExpression':
    case 'WhileStatement': {
      const { start, end } = node.test;
      const test = code.slice(start, end);
      // A comparison that is turned over is there already, as its operator.
      if (!['===', '!=='].includes(node.test.operator))
        found.push({ start, end, text: `!(${test})`, what: 'condition negated' });
      break;
    }
    case 'ExpressionStatement':
      if (node.expression.type === 'CallExpression')
        found.push({ start: node.start, end: node.end, text: ';', what: 'call removed' });
      break;
  }
}

/** Decimal numbers from here on are limits and times that were chosen: one more or less is no error, none at all is. */
const CHOSEN = 24;

function otherNumber({ value, raw }) {
  const isChosen = value >= CHOSEN && !raw.startsWith('0x');
  return isChosen ? '0' : String(value + 1);
}

function isStringSum({ operator, left, right }) {
  const isString = (side) => typeof side.value === 'string' || side.type === 'TemplateLiteral';
  return operator === '+' && (isString(left) || isString(right));
}

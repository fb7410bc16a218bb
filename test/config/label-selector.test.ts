// What the API server says of the same selectors: test/e2e/label-selectors.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { selectorProblem } from '../../src/config/sections/label-selector.ts';
import { RIGHT_SELECTORS, selectorSoup, selectorText, WRONG_SELECTORS } from '../support/label-selectors.ts';

test('selectors that the API server takes are right', () => {
  for (const selector of RIGHT_SELECTORS) assert.equal(selectorProblem(selector), undefined, selector);
});

test('others are wrong, in words', () => {
  for (const [selector, problem] of WRONG_SELECTORS) assert.equal(selectorProblem(selector), problem, selector);
});

test('a selector that is empty, which the API server takes for all, or too long for its URL is wrong', () => {
  assert.equal(selectorProblem(' '), 'it is empty');
  assert.equal(selectorProblem('a,'.repeat(4096)), 'expected a label after the comma, got nothing');
  assert.equal(selectorProblem('a,'.repeat(4097)), 'it has 8194 characters, at most 8192 are sent');
});

test('whatever is made of keys, operators and values in their order is right', () => {
  fc.assert(fc.property(selectorText, (selector) => selectorProblem(selector) === undefined));
});

test('whatever is wrong is said in one short line', () => {
  const anything = fc.oneof(selectorSoup, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(anything, (selector) => {
      const problem = selectorProblem(selector);
      assert.ok(problem === undefined || /^[^\p{Cc}]{1,500}$/u.test(problem), problem);
    }),
  );
});

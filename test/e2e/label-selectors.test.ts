// Whether the API server takes a selector, and whether `check` does.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { selectorProblem } from '../../src/config/sections/label-selector.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { RIGHT_SELECTORS, selectorSoup, selectorText, WRONG_SELECTORS } from '../support/label-selectors.ts';
import { requirement } from '../support/requirement.ts';

const options = requirement('control-plane');
let plane: ControlPlane;

before(async () => {
  if (options.skip === false) plane = await startControlPlane();
});
after(() => plane?.stop());

async function isTaken(selector: string): Promise<boolean> {
  const { status } = await plane.client.get(`/api/v1/namespaces?labelSelector=${encodeURIComponent(selector)}`);
  assert.ok(status === 200 || status === 400, `${status} for ${selector}`);
  return status === 200;
}

test('the API server takes the selectors that are right, and no other', options, async () => {
  for (const selector of RIGHT_SELECTORS) assert.equal(await isTaken(selector), true, selector);
  for (const [selector] of WRONG_SELECTORS) assert.equal(await isTaken(selector), false, selector);
});

test('the API server and our parser agree on whatever is made of the words of selectors', options, async () => {
  const selectors = [...fc.sample(selectorText, 100), ...fc.sample(selectorSoup, 400)];
  for (const selector of selectors.filter((one) => one.trim() !== ''))
    assert.equal(selectorProblem(selector) === undefined, await isTaken(selector), JSON.stringify(selector));
});

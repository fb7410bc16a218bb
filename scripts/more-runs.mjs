// `npm run fuzz [-- PATH-PART …]`: preloaded into tests, gives them a fast-check that makes ten times as many runs, or
// HEALTHDNS_FUZZ_TIMES as many. A failure prints its seed and the smallest case.
import { register } from 'node:module';

process.env.HEALTHDNS_FUZZ_TIMES ??= '10';
const REAL = import.meta.resolve('fast-check');
const WITH_MORE_RUNS = `
import fc from ${JSON.stringify(REAL)};
const USUAL_RUNS = 100;
const times = Number(process.env.HEALTHDNS_FUZZ_TIMES);
const assert = (property, parameters = {}) =>
  fc.assert(property, { ...parameters, numRuns: times * (parameters.numRuns ?? USUAL_RUNS) });
export default { ...fc, assert };
`;
const HOOKS = `
export const resolve = (specifier, context, next) =>
  specifier === 'fast-check' ? { url: ${JSON.stringify(dataUrl(WITH_MORE_RUNS))}, shortCircuit: true } : next(specifier, context);
`;
register(dataUrl(HOOKS));

function dataUrl(code) {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

// Becomes dist/load.js. Runs the bundles of dist/ with the code that V8 compiled for them when they were built
// (scripts/code-cache.mjs): compiling takes a third of the time of a start. What was compiled by another version of Node.js,
// for other processors or with other flags is not used, and the bundle is compiled as usual.
'use strict';
const { existsSync, readFileSync } = require('node:fs');
const { dirname, join, normalize } = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');
const { getEnvironmentData, isMainThread, setEnvironmentData } = require('node:worker_threads');

const caches = join(__dirname, 'code-cache', `${process.version}-${process.arch}`);
const isCached = existsSync(caches);

/** Where V8 writes a hash of its flags, as a 32-bit number: it accepts only what was compiled with those that it has. */
const FLAGS_AT = 12;
const flagsNow = () => new vm.Script('0').createCachedData().readUInt32LE(FLAGS_AT);
/** Those that the process was started with. All that changes later is when a server optimizes and collects. */
if (isMainThread) setEnvironmentData('healthdns flags', flagsNow());
const flagsAtStart = getEnvironmentData('healthdns flags');

/** By name: `exports`, and `script` for record-code-cache.cjs. */
const loaded = new Map();

/** The exports of a bundle, `name` being its path in dist/. */
function load(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const file = join(__dirname, name);
  const script = new vm.Script(readFileSync(file, 'latin1'), {
    // What V8 compiled names it as well, so it must not depend on where dist/ is.
    filename: `dist/${name}`,
    cachedData: isCached ? cacheOf(name) : undefined,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const exports = {};
  loaded.set(name, { exports, script });
  const requireFrom = (path) => (path.startsWith('.') ? load(normalize(join(dirname(name), path))) : require(path));
  script.runInThisContext()(exports, requireFrom, { url: pathToFileURL(file).href });
  return exports;
}

function cacheOf(name) {
  try {
    const cache = readFileSync(join(caches, `${name}.cache`));
    if (cache.readUInt32LE(FLAGS_AT) === flagsAtStart) cache.writeUInt32LE(flagsNow(), FLAGS_AT);
    return cache;
  } catch {
    return undefined;
  }
}

module.exports = { load, loaded, caches, flagsAtStart, FLAGS_AT };

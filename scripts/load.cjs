// Becomes dist/load.js. Runs the bundles of dist/ with the code that V8 compiled for them when they were built
// (scripts/code-cache.mjs): compiling takes a third of the time of a start. What was compiled by another version of Node.js,
// for other processors or with other flags is not used, and the bundle is compiled as usual.
'use strict';
const { existsSync, readFileSync } = require('node:fs');
const { dirname, join, normalize } = require('node:path');
const { pathToFileURL } = require('node:url');
const { setFlagsFromString } = require('node:v8');
const vm = require('node:vm');

// As src/plane/inlining.ts sets it until everything is loaded. V8 accepts only what was compiled with the same flags.
setFlagsFromString('--max-inlined-bytecode-size-cumulative=300');

const caches = join(__dirname, 'code-cache', `${process.version}-${process.arch}`);
const isCached = existsSync(caches);
/** By name: `exports`, and `script` for code-cache.mjs. */
const loaded = new Map();

/** The exports of a bundle, `name` being its path in dist/. */
function load(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const filename = join(__dirname, name);
  const script = new vm.Script(readFileSync(filename, 'latin1'), {
    // What V8 compiled names it as well, so it must not depend on where dist/ is.
    filename: `dist/${name}`,
    cachedData: isCached ? cacheOf(name) : undefined,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const exports = {};
  loaded.set(name, { exports, script });
  const requireFrom = (path) => (path.startsWith('.') ? load(normalize(join(dirname(name), path))) : require(path));
  script.runInThisContext()(exports, requireFrom, { url: pathToFileURL(filename).href });
  return exports;
}

function cacheOf(name) {
  try {
    return readFileSync(join(caches, `${name}.cache`));
  } catch {
    return undefined;
  }
}

module.exports = { load, loaded, caches };

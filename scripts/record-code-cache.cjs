// Preloaded by code-cache.mjs into a server and its threads: when they end, what V8 has compiled is written beside the bundles.
'use strict';
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { setFlagsFromString } = require('node:v8');

process.on('exit', () => {
  const { caches, loaded } = require(process.env.HEALTHDNS_RECORDED);
  // The flags that a start has are part of what is written.
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=300');
  for (const [name, { script }] of loaded) {
    const file = join(caches, `${name}.cache`);
    if (existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, script.createCachedData());
  }
});

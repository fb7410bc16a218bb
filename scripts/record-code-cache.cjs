// Preloaded by code-cache.mjs into a server and its threads: when they end, what V8 has compiled is written beside the bundles.
'use strict';
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

process.on('exit', () => {
  const { caches, loaded, flagsAtStart, FLAGS_AT } = require(process.env.HEALTHDNS_RECORDED);
  for (const [name, { script }] of loaded) {
    const file = join(caches, `${name}.cache`);
    if (existsSync(file)) continue;
    const cache = script.createCachedData();
    cache.writeUInt32LE(flagsAtStart, FLAGS_AT);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, cache);
  }
});

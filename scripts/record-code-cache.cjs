// Preloaded by code-cache.mjs into a server and its threads: when they end, what V8 has compiled is written beside the bundles.
'use strict';
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const v8 = require('node:v8');
const { caches, loaded } = require(process.env.HEALTHDNS_RECORDED);

// V8 accepts only what was compiled with the flags that it has, which are those of a start: the server must not set others later.
v8.setFlagsFromString = () => {};

process.on('exit', () => {
  for (const [name, { script }] of loaded) {
    const file = join(caches, `${name}.cache`);
    if (existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, script.createCachedData());
  }
});

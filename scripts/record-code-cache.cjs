// Preloaded by code-cache.mjs into a server and its threads: when they end, what V8 has compiled is written beside the bundles.
'use strict';
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const vm = require('node:vm');

/** Where V8 writes a hash of its flags, as a 32-bit number: it accepts only what was compiled with those that it has. */
const FLAGS_AT = 12;

/** By script: that hash when it was loaded. A server changes its flags later. */
const flags = new WeakMap();
const { Script } = vm;
vm.Script = class extends Script {
  constructor(...parameters) {
    super(...parameters);
    flags.set(this, new Script('0').createCachedData().readUInt32LE(FLAGS_AT));
  }
};

process.on('exit', () => {
  const { caches, loaded } = require(process.env.HEALTHDNS_RECORDED);
  for (const [name, { script }] of loaded) {
    const file = join(caches, `${name}.cache`);
    if (existsSync(file)) continue;
    const cache = script.createCachedData();
    cache.writeUInt32LE(flags.get(script), FLAGS_AT);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, cache);
  }
});

// Bundles what is shipped into dist/: the command line with the control plane, and the data plane's thread.
// A bundle starts faster and takes about half the memory of the unbundled packages, and the package needs no others at
// run time: what is bundled is listed, with its licence, in dist/THIRD-PARTY-LICENSES.txt.
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const build = await esbuild();

// Built beside and then moved into place: a server that is starting never finds half of it.
const folder = `dist.${process.pid}`;
await mkdir(folder);
try {
  const { metafile } = await build({
    entryPoints: ['src/cli.ts', 'src/thread/thread.ts'],
    outbase: 'src',
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    external: ['koffi', 'classic-level'],
    // node-fetch asks it for the URL that Node.js has; it would load Node's `punycode`, which Node 22 warns of at each start.
    alias: { 'whatwg-url': 'node:url' },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await licences(Object.keys(metafile.inputs)));
  await rm('dist', { recursive: true, force: true });
  await rename(folder, 'dist');
} finally {
  await rm(folder, { recursive: true, force: true });
}

/**
 * The bundler. `--if-installed` is npm's `prepare`, which also runs where development dependencies are left out or where
 * only a link to this folder is installed: there the build is skipped, and `bin/healthdns` says how to make it.
 */
async function esbuild() {
  try {
    return (await import('esbuild')).build;
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error('healthdns: nothing was built, because esbuild is not installed; run: npm ci && npm run build');
    process.exit(process.argv.includes('--if-installed') ? 0 : 1);
  }
}

/** Name, version and licence text of every package that a bundled file is from. */
async function licences(inputs) {
  const packages = new Set(
    inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter((path) => path !== undefined),
  );
  const texts = [...packages].sort().map(async (path) => {
    const { name, version, license } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'));
    const file = (await readdir(path)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file !== undefined && existsSync(join(path, file)) ? await readFile(join(path, file), 'utf8') : '';
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

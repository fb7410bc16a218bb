// Bundles the shipped code into dist/: the command line with the control plane, the data thread, and the
// thread that loads a large configuration. A bundle starts faster and uses about half the memory of the unbundled packages, and removes run-time dependencies: bundled packages are listed,
// with their licenses, in dist/THIRD-PARTY-LICENSES.txt.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const build = await esbuild();

// Built in a temporary folder and moved into place, so that a starting server never finds an incomplete bundle.
const folder = `dist.${process.pid}`;
await mkdir(folder);
try {
  const common = {
    outbase: 'src',
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    external: ['koffi', 'classic-level'],
    // node-fetch uses it for URL, which Node.js has; it would load Node's `punycode`, which triggers a warning on Node 22.
    alias: { 'whatwg-url': 'node:url' },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    // Bundled CommonJS packages call require() for built-in modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  };
  // What a command or a configuration does not need is in files that are not loaded. The data thread is one file: a constant
  // of another file would be looked up for every query.
  // Names stay, so that a stack trace can be read; without white space a start takes about 15 ms less.
  const small = { splitting: true, minifyWhitespace: true, minifySyntax: true };
  const cli = await build({ ...common, ...small, entryPoints: ['src/cli.ts', 'src/config/loading/load-thread.ts'] });
  const thread = await build({ ...common, entryPoints: ['src/thread/thread.ts'] });
  const inputs = [cli, thread].flatMap(({ metafile }) => Object.keys(metafile.inputs));
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await licenses(inputs));
  // The manual page is made of the definitions of the commands.
  await writeFile(join(folder, 'healthdns.1'), execFileSync(process.execPath, [join(folder, 'cli.js'), 'manual']));
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

/** Name, version and license text of every bundled package. */
async function licenses(inputs) {
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

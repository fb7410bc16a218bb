// Bundles the shipped code into dist/: the command line with the control plane, the data thread, the thread that loads a large
// configuration, and what the page loads into browsers. A bundle starts faster and uses about half the memory of the unbundled packages, and removes run-time dependencies: bundled packages are listed,
// with their licenses, in dist/THIRD-PARTY-LICENSES.txt.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { asScript } from './as-script.mjs';
import { writeCodeCache } from './code-cache.mjs';
import { billOfMaterials } from './sbom.mjs';

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
    // Event streams are none of the operations that are served.
    external: ['koffi', 'classic-level', '@smithy/core/event-streams'],
    // node-fetch uses it for URL, which Node.js has; it would load Node's `punycode`, which triggers a warning on Node 22.
    alias: { 'whatwg-url': 'node:url' },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    write: false,
    // Names stay, so that a stack trace can be read.
    minifyWhitespace: true,
    minifySyntax: true,
  };
  // What a command or a configuration does not need is in files that are not loaded. The data thread is one file: a constant
  // of another file would be looked up for every query.
  const threads = ['src/config/loading/load-thread.ts', 'src/thread/thread.ts', 'src/thread/push-thread.ts'];
  // A node's agent has neither a control plane nor other threads.
  const node = await build({ ...common, entryPoints: ['src/node/main.ts', 'src/config/loading/load-node-process.ts'] });
  const cli = await build({ ...common, splitting: true, entryPoints: ['src/cli.ts', threads[0]] });
  const thread = await build({ ...common, entryPoints: threads.slice(1) });
  for (const { path, text } of [...cli.outputFiles, ...thread.outputFiles, ...node.outputFiles])
    await writeBundle(path, text);
  await writeFile(join(folder, 'package.json'), '{"type":"commonjs"}\n');
  await copyFile('scripts/load.cjs', join(folder, 'load.js'));
  const page = await build({
    entryPoints: { page: 'src/http/page/client.tsx', style: 'src/http/page/page.css' },
    outdir: join(folder, 'page'),
    bundle: true,
    minify: true,
    platform: 'browser',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    format: 'esm',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  const inputs = [cli, thread, node, page].flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const bundled = bundledPackages(inputs);
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await licenses(bundled));
  const [own, lock] = await Promise.all(['package.json', 'package-lock.json'].map(readJson));
  await writeFile(join(folder, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(own, lock, bundled), null, 2)}\n`);
  await writeCodeCache(folder).catch((error) =>
    console.error(`healthdns: built without a code cache: ${error.message}`),
  );
  // The manual page is made of the definitions of the commands.
  await writeFile(join(folder, 'healthdns.1'), execFileSync(process.execPath, [join(folder, 'cli.js'), 'manual']));
  await rm('dist', { recursive: true, force: true });
  await rename(folder, 'dist');
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** An entry point is a file that loads its bundle, which is beside it. */
async function writeBundle(path, text) {
  const name = relative(join(process.cwd(), folder), path);
  await mkdir(dirname(path), { recursive: true });
  const entry = /^(cli|thread|load-thread|push-thread|load-node-process|main)\.js$/.test(basename(path));
  const bundle = entry ? name.replace(/js$/, 'bundle.js') : name;
  await writeFile(join(folder, bundle), asScript(text, name), 'utf8');
  if (!entry) return;
  const loader = `${'../'.repeat(name.split('/').length - 1) || './'}load.js`;
  await writeFile(path, `module.exports=require(${JSON.stringify(loader)}).load(${JSON.stringify(bundle)});\n`);
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

async function readJson(file) {
  return JSON.parse(await readFile(file, 'utf8'));
}

/** The folders of packages that the bundler has read. */
function bundledPackages(inputs) {
  const folders = inputs.map((path) => /node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders)].filter((path) => path !== undefined).sort();
}

/** Name, version and license text of every package. */
async function licenses(packages) {
  const texts = packages.map(async (path) => {
    const { name, version, license } = await readJson(join(path, 'package.json'));
    const file = (await readdir(path)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file !== undefined && existsSync(join(path, file)) ? await readFile(join(path, file), 'utf8') : '';
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

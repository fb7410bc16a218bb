// dist/sbom.cdx.json: the software bill of materials (CycloneDX 1.6) of what is shipped. Scanners read package.json and lock
// files, and so cannot see what esbuild has bundled. It has no date and no serial number: the same sources give the same file.

/**
 * `own`: package.json. `lock`: package-lock.json. `bundled`: the folders in node_modules of which dist/ contains code. Packages that
 * are installed beside it are those of the lock file that are neither for development only nor for other systems.
 */
export function billOfMaterials(own, lock, bundled) {
  const installed = Object.entries(lock.packages)
    .filter(([folder, one]) => folder !== '' && !one.dev)
    .map(([folder]) => folder);
  const components = [...new Set([...bundled, ...installed])]
    .map((folder) => component(folder, lock.packages[folder], bundled.includes(folder) ? 'bundled' : 'installed'))
    .sort((one, other) => (one.purl < other.purl ? -1 : 1));
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': purl(own.name, own.version),
        name: own.name,
        version: own.version,
        purl: purl(own.name, own.version),
        licenses: licensesOf(own.license),
      },
    },
    components,
    dependencies: [{ ref: purl(own.name, own.version), dependsOn: components.map((one) => one.purl) }],
  };
}

function component(folder, locked, shipped) {
  if (locked === undefined) throw new Error(`${folder} is bundled and not in package-lock.json; run npm ci`);
  const fullName = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const [name, group] = fullName.split('/').reverse();
  const [algorithm, digest] = locked.integrity.split('-');
  return {
    type: 'library',
    'bom-ref': purl(fullName, locked.version),
    ...(group !== undefined && { group }),
    name,
    version: locked.version,
    purl: purl(fullName, locked.version),
    licenses: licensesOf(locked.license),
    hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') }],
    ...(locked.optional && { scope: 'optional' }),
    properties: [{ name: 'healthdns:shipped', value: shipped }],
  };
}

function purl(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** An SPDX identifier or expression. */
const licensesOf = (license) => (/[ ()]/.test(license) ? [{ expression: license }] : [{ license: { id: license } }]);

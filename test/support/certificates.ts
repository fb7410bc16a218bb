// Certificates for servers in tests.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A key and a certificate, which is its own authority, for `names`. */
export function makeCertificate(names: string, expired = false): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'healthdns-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${names}`];
  if (!expired) openssl(...request, '-x509', '-days', '2', '-out', 'cert.pem', ...subject);
  else {
    // Only `ca` takes an end in the past in every version.
    writeFileSync(join(folder, 'index'), '');
    writeFileSync(join(folder, 'ca.cnf'), CA);
    openssl(...request, '-out', 'request.pem', ...subject);
    const dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'];
    const signed = ['-selfsign', '-keyfile', 'key.pem', '-in', 'request.pem', '-out', 'cert.pem', '-notext'];
    openssl('ca', '-config', 'ca.cnf', '-batch', ...signed, ...dates);
  }
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const made = { key: read('key.pem'), cert: read('cert.pem') };
  rmSync(folder, { recursive: true });
  return made;
}

const CA = `[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
copy_extensions = copy
[any]
commonName = supplied
`;

// Why a connection to a replica failed, for the log, /ready and explain.

/** Of OpenSSL, as Node.js names them: a certificate whose authority is not trusted. */
const UNTRUSTED: readonly string[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
];

/** The code, and for certificates what is to be done. */
export function socketReason({ code, message }: NodeJS.ErrnoException): string {
  if (code === undefined) return message;
  if (UNTRUSTED.includes(code)) return `${code}: the replica's certificate is not of an authority in \`replicas.ca\``;
  if (code === 'CERT_HAS_EXPIRED') return `${code}: the replica's certificate must be renewed (\`push.tls\` there)`;
  // Node.js says which names it has.
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${code}: ${message} (\`replicas.serverName\` must be one of them)`;
  return code;
}

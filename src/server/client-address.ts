/** "fe80::1%eth0" → "fe80::1": the interface says nothing about who asks. */
export function withoutZone(address: string): string {
  const percent = address.indexOf('%');
  return percent < 0 ? address : address.slice(0, percent);
}

// Labels from names that people and clusters choose: validation, and replacements for missing ones.

import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from '../../dns/limits.ts';
import { type WireName, writeLabels } from '../../dns/name.ts';
import { cutBytes } from '../../memory/short-lived-bytes.ts';

/** Letters, digits, hyphens and underscores: every label Kubernetes and Cloud Map allow, and nothing that needs escapes. */
export function isLabel(text: string): boolean {
  return text.length <= MAX_LABEL_BYTES && /^[\w-]+$/.test(text);
}

/** Labels joined by dots: a Cloud Map service may be called "_exampleservice._tcp". */
export function isLabels(text: string): boolean {
  return text.split('.').every(isLabel);
}

/** "10.1.2.3" → "10-1-2-3", "fd00::1" → "fd00--1", as CoreDNS names an endpoint without a hostname. */
export function dashedAddress(address: string): string {
  return address.includes(':') ? address.replace(/[.:]/g, '-') : address.replaceAll('.', '-');
}

/** Whether the name that labels (dots between them) make with `parent` stays within 255 bytes. */
export function fitsBelow(labels: string, parent: WireName): boolean {
  return 1 + labels.length + parent.length <= MAX_NAME_BYTES;
}

/** `childName` of the dashed address. */
export function addressName(address: string, parent: WireName): WireName {
  const name = cutBytes(1 + address.length + parent.length);
  name[0] = address.length;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    name[1 + i] = code === 0x2e || code === 0x3a /* . and : */ ? 0x2d : code;
  }
  name.set(parent, 1 + address.length);
  return name;
}

/** Labels (dots between them) put in front of `parent`, lower case. The caller has seen that they are, and that they fit. */
export function childName(labels: string, parent: WireName): WireName {
  const name = cutBytes(1 + labels.length + parent.length);
  writeLabels(name, 0, labels);
  name.set(parent, 1 + labels.length);
  return name;
}

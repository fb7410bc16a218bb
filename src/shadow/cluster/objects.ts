// Kubernetes objects: the fields that the comparison reads.

export interface ObjectMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
}

export interface Port {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
}

export interface ServiceObject {
  readonly metadata: ObjectMetadata;
  readonly spec: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ipFamilies?: readonly string[];
    readonly ipFamilyPolicy?: string;
    readonly externalName?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly Port[];
  };
}

export interface EndpointObject {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: { readonly kind: string; readonly name: string; readonly namespace: string };
}

export interface SliceObject {
  readonly metadata: ObjectMetadata;
  readonly addressType: string;
  readonly ports?: readonly Port[];
  readonly endpoints?: readonly EndpointObject[];
}

export interface PodObject {
  readonly metadata: ObjectMetadata;
  readonly spec: { readonly nodeName?: string; readonly hostname?: string; readonly subdomain?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface NodeObject {
  readonly metadata: ObjectMetadata;
  readonly status?: PodObject['status'];
}

export const SERVICE_NAME = 'kubernetes.io/service-name';

/** The error names of the AWS Cloud Map (servicediscovery, 2017-03-14) and ECS (2014-11-13) APIs, and those that all share. */
export type AwsErrorCode =
  | 'InvalidInput'
  | 'NamespaceNotFound'
  | 'NamespaceAlreadyExists'
  | 'ServiceNotFound'
  | 'ServiceAlreadyExists'
  | 'InstanceNotFound'
  | 'OperationNotFound'
  | 'ResourceInUse'
  | 'ResourceLimitExceeded'
  | 'RequestLimitExceeded'
  | 'DuplicateRequest'
  | 'CustomHealthNotFound'
  | 'ResourceNotFoundException'
  | 'TooManyTagsException'
  | 'ServiceAttributesLimitExceededException'
  | 'ClientException'
  | 'ConflictException'
  | 'InvalidParameterException'
  | 'ClusterNotFoundException'
  | 'ClusterContainsServicesException'
  | 'ClusterContainsTasksException'
  | 'ServiceNotFoundException'
  | 'ServiceNotActiveException'
  | 'UnsupportedFeatureException'
  | 'LimitExceededException'
  | 'UnknownOperationException'
  | 'SerializationException'
  | 'RequestEntityTooLargeException'
  | 'AccessDeniedException'
  | 'MissingAuthenticationTokenException'
  | 'UnrecognizedClientException'
  | 'InvalidSignatureException'
  | 'ServiceUnavailable'
  | 'InternalFailure';

const STATUS_CODES: Partial<Record<AwsErrorCode, number>> = {
  UnknownOperationException: 404,
  RequestEntityTooLargeException: 413,
  AccessDeniedException: 403,
  MissingAuthenticationTokenException: 403,
  UnrecognizedClientException: 403,
  InvalidSignatureException: 403,
  ServiceUnavailable: 503,
  InternalFailure: 500,
};

/** An error that goes to the client under the API's own name. `details` are members beside Message. */
export class AwsError extends Error {
  readonly code: AwsErrorCode;
  readonly details: Readonly<Record<string, string | readonly string[]>>;
  constructor(code: AwsErrorCode, message: string, details: Readonly<Record<string, string | readonly string[]>> = {}) {
    super(message);
    this.name = 'AwsError';
    this.code = code;
    this.details = details;
  }
  /** HTTP status: 400 for errors that the client can fix, as in AWS. */
  get statusCode(): number {
    return STATUS_CODES[this.code] ?? 400;
  }
}

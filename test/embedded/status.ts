/** Kubernetes' own error answers: a `Status` object with the code, reason, message and details of the real API server. */
export interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly causes?: readonly StatusCause[] | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  readonly #metadata: object;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, metadata: object = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.#metadata = metadata;
  }

  toStatus(): Record<string, unknown> {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.#metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

/** What a message calls a resource: `pods`, `restores.velero.io`. */
export interface ResourceName {
  readonly group: string;
  readonly resource: string;
  readonly kind: string;
}
export const qualified = (group: string, resource: string): string =>
  group === '' ? resource : `${resource}.${group}`;

const detailsOf = (of: ResourceName, name: string | undefined, extra: StatusDetails = {}): StatusDetails => ({
  name,
  group: of.group === '' ? undefined : of.group,
  kind: of.resource,
  ...extra,
});

export const notFound = (of: ResourceName, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${qualified(of.group, of.resource)} "${name}" not found`, detailsOf(of, name));

export const noSuchResource = (): ApiError =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});

export const methodNotAllowed = (): ApiError =>
  new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export const alreadyExists = (of: ResourceName, name: string, isGoing = false): ApiError =>
  new ApiError(
    409,
    'AlreadyExists',
    `${isGoing ? 'object is being deleted: ' : ''}${qualified(of.group, of.resource)} "${name}" already exists`,
    detailsOf(of, name),
  );

export const conflict = (
  of: ResourceName,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(of.group, of.resource)} "${name}": ${why}`,
    detailsOf(of, name),
  );

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const forbidden = (
  of: ResourceName,
  name: string | undefined,
  why: string,
  causes?: readonly StatusCause[],
): ApiError =>
  new ApiError(
    403,
    'Forbidden',
    `${qualified(of.group, of.resource)}${name === undefined ? '' : ` "${name}"`} is forbidden: ${why}`,
    detailsOf(of, name, causes && { causes }),
  );

/** The watch's or the list's version is no longer kept: list again. */
export const expired = (message: string, metadata: object = {}): ApiError =>
  new ApiError(410, 'Expired', message, undefined, metadata);

export const patchRefused = (): ApiError =>
  new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

/** The object that a patch makes can't be read. */
export const patchedInvalid = (object: unknown, why: string): ApiError =>
  invalid({ group: '', resource: '', kind: '' }, '', [
    { type: 'Invalid', field: 'patch', value: JSON.stringify(object), detail: why },
  ]);

/** One thing that is wrong with an object, at one field. */
export interface Fault {
  readonly type:
    | 'Required'
    | 'Invalid'
    | 'TypeInvalid'
    | 'Duplicate'
    | 'Forbidden'
    | 'TooLong'
    | 'NotFound'
    | 'NotSupported';
  readonly field: string;
  readonly value?: unknown;
  readonly detail?: string;
}

/** A text as Go's %q has it, all else as JSON. */
const goQuoted = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value).replaceAll('\\u0007', '\\a') : JSON.stringify(value);

const faultText = (fault: Fault): string => {
  const label = {
    Required: 'Required value',
    Invalid: 'Invalid value',
    TypeInvalid: 'Invalid value',
    NotFound: 'Not found',
    NotSupported: 'Unsupported value',
    Duplicate: 'Duplicate value',
    Forbidden: 'Forbidden',
    TooLong: 'Too long',
  }[fault.type];
  const value = fault.value === undefined ? '' : `: ${goQuoted(fault.value)}`;
  return `${label}${value}${fault.detail === undefined ? '' : `: ${fault.detail}`}`;
};

export function invalid(of: ResourceName, name: string, faults: readonly Fault[]): ApiError {
  // Some fields are validated twice, but each error is reported once.
  const lines = [...new Set(faults.map((fault) => `${fault.field}: ${faultText(fault)}`))];
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${qualified(of.group, of.kind)} "${name}" is invalid: ${text}`, {
    name: name === '' ? undefined : name,
    group: of.group === '' ? undefined : of.group,
    kind: of.kind === '' ? undefined : of.kind,
    causes: faults.map((fault) => ({
      reason: `FieldValue${fault.type}`,
      message: faultText(fault),
      field: fault.field,
    })),
  });
}

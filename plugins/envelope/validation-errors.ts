import type { FastifySchemaValidationError } from 'fastify'
import type { Fault } from './fault.ts'
import type { FieldError } from './schema.ts'

/** What Fastify throws when a part of the request does not match its schema. */
interface ValidationError {
  validation: FastifySchemaValidationError[]
  validationContext?: string
}

const maxErrors = 20
const maxFieldLength = 64

export function isValidationError(error: object): error is ValidationError {
  return 'validation' in error && Array.isArray(error.validation)
}

/** Names every field once or more, in dotted form, and says in plain words what its schema asks for; never a value. */
export function validationFault({ validation, validationContext = 'body' }: ValidationError): Fault {
  const told = new Map<string, FieldError>()
  for (const problem of validation) {
    const error = { field: fieldOf(problem, validationContext), message: messageOf(problem) }
    told.set(`${error.field} ${error.message}`, error)
    if (told.size === maxErrors) break
  }
  return {
    status: 422,
    error_code: 'VALIDATION_FAILED',
    message: 'Validation failed',
    errors: [...told.values()]
  }
}

function fieldOf({ instancePath = '', params }: FastifySchemaValidationError, context: string): string {
  const path = instancePath.split('/').slice(1).map(unescapePointer)
  const property = params.missingProperty ?? params.additionalProperty ?? params.propertyName
  if (typeof property === 'string') path.push(property)
  if (path.length === 0) return context === 'querystring' ? 'query' : context
  return path.join('.').slice(0, maxFieldLength)
}

/** RFC 6901 §4. */
function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}

function messageOf({ keyword, params }: FastifySchemaValidationError): string {
  const { limit } = params
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return 'is required'
    case 'additionalProperties':
    case 'unevaluatedProperties':
    case 'propertyNames':
    case 'false schema':
      return 'is not a known field'
    case 'type':
      return `must be ${[params.type].flat().map(nameOfType).join(' or ')}`
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`
    case 'maxLength':
      return `must have at most ${limit} characters`
    case 'pattern':
      return 'has characters or a form that are not allowed'
    case 'format':
      return formats[String(params.format)] ?? 'has the wrong format'
    case 'minimum':
      return `must be at least ${limit}`
    case 'maximum':
      return `must be at most ${limit}`
    case 'exclusiveMinimum':
      return `must be more than ${limit}`
    case 'exclusiveMaximum':
      return `must be less than ${limit}`
    case 'multipleOf':
      return `must be a multiple of ${params.multipleOf}`
    case 'enum':
      return `must be one of ${list(params.allowedValues)}`
    case 'const':
      return `must be ${list([params.allowedValue])}`
    case 'minItems':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} items`
    case 'maxItems':
      return `must have at most ${limit} items`
    case 'uniqueItems':
      return 'must not hold the same item twice'
    case 'minProperties':
      return limit === 1 ? 'must have at least one field' : `must have at least ${limit} fields`
    case 'maxProperties':
      return `must have at most ${limit} fields`
    default:
      return 'is not valid'
  }
}

const formats: Record<string, string> = {
  email: 'must be an e-mail address',
  uuid: 'must be a UUID',
  date: 'must be a date (YYYY-MM-DD)',
  'date-time': 'must be a date and time with an offset (ISO 8601)',
  uri: 'must be an absolute URI'
}

function nameOfType(type: unknown): string {
  if (type === 'null') return 'null'
  return type === 'integer' || type === 'array' || type === 'object' ? `an ${type}` : `a ${type}`
}

/** Values of the schema, not of the request. */
function list(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => String(value)).join(', ') : 'the allowed values'
}

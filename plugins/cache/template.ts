import type { FastifyRequest } from 'fastify'

/** The text of a template for one request. */
export type Render = (request: FastifyRequest) => string
/** How the values of a name are found. */
export type Values = (request: FastifyRequest) => unknown

/**
 * Compiles `user:{username}:posts`. Values are percent-encoded, so that none of them can pass for the text around it.
 *
 * @throws Error for a name without a value
 */
export function compileTemplate(template: string, sources: ReadonlyMap<string, Values>): Render {
  const parts = template.split(/\{([^{}]*)\}/)
  const values = parts.map((part, at) => (at % 2 === 0 ? part : sourceOf(part)))

  function sourceOf(name: string): Values {
    const source = sources.get(name)
    if (source !== undefined) return source
    const known = [...sources.keys()].map((name) => `{${name}}`).join(', ') || 'none'
    throw new Error(`"${template}": {${name}} has no value in each request; those that have: ${known}`)
  }

  return (request) => {
    let text = ''
    for (const value of values) text += typeof value === 'string' ? value : encode(value(request))
    return text
  }
}

/** As everything in a key that comes from outside has to be written, in code that invalidates by hand too. */
export const encode = (value: unknown): string => encodeURIComponent(String(value).toWellFormed())

import { UsageError } from '../main.ts'

/** One resource under each name it has in the project. */
export interface Names {
  /** `blog_post`: parameters, audit actions. */
  singular: string
  /** `blog_posts`: the table, the tag. */
  plural: string
  /** `blog-posts`: the folder and the path. */
  path: string
  /** `BlogPost`: schemas, operation ids. */
  type: string
  /** `BlogPosts` */
  types: string
  /** `blogPost`: variables. */
  variable: string
  /** `blogPosts` */
  variables: string
  /** `Blog post`: messages. */
  title: string
  /** `blog posts` */
  words: string
}

const reserved = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
  finally for function if implements import in instanceof interface let new null package private protected public return
  static super switch this throw true try typeof undefined var void while with yield
  app caller columns db envelope errors location mine own page params refusal request reply routes sql status success trx
  database transaction type deleted owner person plain world references
  array boolean date iterator map math number object promise proxy reflect set string symbol`.split(/\s+/)
)

/** @throws UsageError when it is no name in snake_case, or one that would clash */
export function readNames(name: string): Names {
  // As operation ids, permission codes and audit actions admit it.
  if (!/^[a-z]{2,}(_[a-z]{2,})*$/.test(name))
    throw new UsageError(
      `"${name}" is no name: write words of two or more letters a–z, joined by _, such as blog_post; digits do not fit`
    )
  if (name.length > 40)
    throw new UsageError(
      `${name} has ${name.length} characters: 40 are the most, as the audit log's actions admit no more`
    )
  const plural = pluralOf(name)
  const camel = (text: string) => text.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
  const words = (text: string) => text.replaceAll('_', ' ')
  const names = {
    singular: name,
    plural,
    path: plural.replaceAll('_', '-'),
    type: capital(camel(name)),
    types: capital(camel(plural)),
    variable: camel(name),
    variables: camel(plural),
    title: capital(words(name)),
    words: words(plural)
  }
  if (reserved.has(names.variable) || reserved.has(names.variables))
    throw new UsageError(`${name} means something already in what is written: take another name`)
  return names
}

function pluralOf(name: string): string {
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`
  return /(s|x|z|ch|sh)$/.test(name) ? `${name}es` : `${name}s`
}

import type { Draft } from './draft.ts'
import {
  hostileHeaders,
  hostileJson,
  hostileSuffixes,
  hostileTexts,
  invalidUtf8,
  unstorableTexts,
  wrongAuthorizations,
} from './hostile.ts'
import { any, hasMembers, membersOf, one, type Variation } from './variation.ts'

/** Puts a text of JSON where the value of one member stands. */
function replaceValue(draft: Draft, member: string, json: string): void {
  draft.body = { ...(draft.body as object), [member]: '~here~' }
  draft.changeText = (text) => text.replace('"~here~"', () => json)
}

const inMember = (name: string, texts: readonly string[], mustBeRefused = false): Variation => ({
  name,
  mustBeRefused,
  appliesTo: hasMembers,
  change(draft, g) {
    const [member] = one(g, membersOf(draft.operation))
    draft.body = { ...(draft.body as object), [member]: one(g, texts) }
  },
})

/** What broken or malicious clients send. */
export const hostile: readonly Variation[] = [
  inMember('text that cannot be stored', unstorableTexts, true),
  inMember('hostile text', hostileTexts),
  {
    name: 'hostile JSON',
    appliesTo: hasMembers,
    change(draft, g) {
      replaceValue(draft, one(g, membersOf(draft.operation))[0], one(g, hostileJson))
    },
  },
  {
    name: 'bytes that are not UTF-8',
    appliesTo: hasMembers,
    mustBeRefused: true,
    change(draft, g) {
      replaceValue(draft, one(g, membersOf(draft.operation))[0], `"abcdefgh${one(g, invalidUtf8)}"`)
    },
  },
  {
    name: 'a prototype',
    appliesTo: hasMembers,
    mustBeRefused: true,
    change(draft, g) {
      const first = one(g, [
        '"__proto__":{"admin":true}',
        '"\\u005f_proto__":1',
        '"constructor":{"prototype":{"admin":true}}',
      ])
      draft.changeText = (text) =>
        text.replace(/\{(?=(.?))/, (_, next) => `{${first}${next === '}' ? '' : ','}`)
    },
  },
  {
    name: 'truncated JSON',
    appliesTo: hasMembers,
    mustBeRefused: true,
    change(draft, g) {
      const share = one(g, [0.1, 0.3, 0.5, 0.7, 0.9])
      draft.changeText = (text) => text.slice(0, Math.max(1, Math.floor(text.length * share)))
    },
  },
  {
    name: 'more after the JSON',
    appliesTo: hasMembers,
    mustBeRefused: true,
    change(draft, g) {
      const more = one(g, ['}', '{}', ',', '\0', '// comment', '\xff'])
      draft.changeText = (text) => text + more
    },
  },
  {
    name: 'a wrong Content-Length',
    appliesTo: any,
    change(draft, g) {
      draft.lengthError = one(g, [-10, -1, 1, 10, 10, 100, 10_000, 1e9])
    },
  },
  {
    name: 'a body where none belongs',
    appliesTo: ({ body }) => body === undefined,
    change(draft, g) {
      const json = one(g, [...hostileJson, '{}', 'null'])
      draft.changeText = () => json
    },
  },
  {
    name: 'a hostile header',
    appliesTo: any,
    change(draft, g) {
      draft.headers.push(one(g, hostileHeaders))
    },
  },
  {
    name: 'an authorization that is almost right',
    appliesTo: ({ isPublic }) => !isPublic,
    mustBeRefused: true,
    change(draft, g) {
      draft.authorization = one(g, wrongAuthorizations)
    },
  },
  {
    name: 'two authorizations',
    appliesTo: any,
    change(draft, g) {
      draft.headers.push(`Authorization: ${one(g, wrongAuthorizations)}`)
    },
  },
  {
    name: 'a hostile path or query',
    appliesTo: any,
    change(draft, g) {
      draft.suffix = one(g, hostileSuffixes)
    },
  },
  {
    name: 'a hostile parameter',
    appliesTo: ({ parameters }) => parameters.length > 0,
    change(draft, g) {
      const { in: part, name } = one(g, draft.operation.parameters)
      const value = one(g, [...unstorableTexts, ...hostileTexts]).slice(0, 3_000)
      if (part === 'path') draft.params[name] = value
      else draft.query.push([name, value])
    },
  },
]

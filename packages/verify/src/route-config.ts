import { checkRequirements, type Requirements } from './requirements.ts'

/** What the plugin reads of a route's `config`, which also has members of other plugins. */
export interface RouteConfig extends Requirements {
  /** Requests to this route need no token. */
  readonly public?: boolean
  readonly Public?: never
  readonly isPublic?: never
}

const NAMES = ['public', 'scopes', 'roles', 'onStale', 'maxStaleSeconds']

const checked = new WeakSet<object>()

/**
 * Checks the `config` of a route, once.
 *
 * Members of other plugins are left alone, so an unknown name is refused only if it looks like one
 * of ours: see `findMeant`.
 *
 * @throws TypeError or RangeError that names the route
 */
export function checkRouteConfig(config: RouteConfig, method: unknown, url: unknown): void {
  if (checked.has(config)) return
  try {
    for (const name of Object.keys(config)) {
      const meant = findMeant(name)
      if (meant !== undefined) throw new TypeError(`config.${name} is unknown; use ${meant}`)
    }
    const ours = Object.entries(config).filter(([name]) => NAMES.includes(name))
    const { public: isPublic, ...requirements } = Object.fromEntries(ours)
    if (isPublic !== undefined && typeof isPublic !== 'boolean') {
      throw new TypeError('public must be true or false')
    }
    checkRequirements(requirements)
    if (isPublic && (requirements.scopes ?? requirements.roles) !== undefined) {
      throw new TypeError('a public route cannot require scopes or roles')
    }
  } catch (err) {
    if (err instanceof Error) err.message = `route ${String(method)} ${String(url)}: ${err.message}`
    throw err
  }
  checked.add(config)
}

/**
 * Returns the name that somebody probably meant: in lower case and without separators, `name` ends
 * with it or its singular (`requiredScopes`, `isPublic`, `user_role`), or is a letter more or less
 * or two swapped letters away from it (`publc`, `rolse`).
 */
function findMeant(name: string): string | undefined {
  if (NAMES.includes(name)) return undefined
  const letters = name.toLowerCase().replace(/[^a-z]/g, '')
  return NAMES.find((known) => {
    const lower = known.toLowerCase()
    return (
      letters.endsWith(lower.replace(/s$/, '')) || letters.endsWith(lower) || isTypo(letters, lower)
    )
  })
}

function isTypo(a: string, b: string): boolean {
  const [longer, shorter] = a.length > b.length ? [a, b] : [b, a]
  let i = 0
  while (i < shorter.length && longer[i] === shorter[i]) i++
  if (longer.length > shorter.length) return longer.slice(i + 1) === shorter.slice(i)
  return a === `${b.slice(0, i)}${b[i + 1]}${b[i]}${b.slice(i + 2)}`
}

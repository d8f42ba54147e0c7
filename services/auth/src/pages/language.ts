import type { FastifyRequest } from 'fastify'
import { de } from './texts/de.ts'
import { en, type Texts } from './texts/en.ts'

/** The first is the default. */
const languages: readonly Texts[] = [en, de]

/** The texts in the language that a browser prefers (`Accept-Language`, RFC 9110 section 12.5.4). */
export function chooseTexts(request: FastifyRequest): Texts {
  const preferred = request.language(languages.map(({ language }) => language))
  return languages.find(({ language }) => language === preferred) ?? en
}

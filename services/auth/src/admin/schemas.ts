import { Type } from 'typebox'

export const Roles = Type.Array(
  Type.String({
    pattern: '^[\\w:.-]{1,50}$',
    description: 'a name of up to 50 letters, digits and `_ : . -`',
    examples: ['editor'],
  }),
  { maxItems: 20, uniqueItems: true },
)

export const Scope = Type.String({
  maxLength: 400,
  pattern: '^([!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*)?$',
  description: 'scope values separated by single spaces',
  examples: ['orders:read orders:write'],
})

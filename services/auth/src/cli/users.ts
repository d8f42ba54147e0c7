import { type Command, Option } from 'commander'
import { addAuthOptions, keysOption } from './options.ts'
import {
  createUser,
  deleteUser,
  endSessions,
  listUsers,
  resetPassword,
  setDisabled,
  setRoles,
  showUser,
} from './user-commands.ts'

/** `latchkey users …` */
export function addUsers(program: Command): void {
  const users = program
    .command('users')
    .description('create, list and change users, as the operator: with the key file of auth')
    .addHelpText('after', '\n<user> is the e-mail address or the ID of a user.')
  const add = (name: string, description: string) =>
    addAuthOptions(
      users.command(name).description(description).addOption(keysOption().makeOptionMandatory()),
    )

  add('create', 'create a user, who gets a mail to set a password')
    .requiredOption('-e, --email <address>', 'e-mail address')
    .option('--admin', 'give the role admin')
    .option('--roles <roles>', 'roles, separated by commas')
    .option('--scope <scope>', 'scope; default: LATCHKEY_DEFAULT_SCOPE of the auth service')
    .option('--password-stdin', 'read the password from standard input; no mail is sent')
    .action(createUser)
  add('list', 'list users in the order of their addresses')
    .option('--prefix <text>', 'only users whose address begins with this text', '')
    .addOption(new Option('--limit <number>', 'users to print').default('50'))
    .option('--after <address>', 'continue after this address', '')
    .action(listUsers)
  add('show <user>', 'print a user').action(showUser)
  add('disable <user>', 'disable a user: ends all sessions').action(setDisabled(true))
  add('enable <user>', 'enable a user that was disabled').action(setDisabled(false))
  add(
    'set-roles <user> [roles...]',
    'replace the roles of a user; without roles, remove all',
  ).action(setRoles)
  add('reset-password <user>', 'mail a user a code to set a new password').action(resetPassword)
  add('end-sessions <user>', 'end all sessions of a user').action(endSessions)
  add('delete <user>', 'delete a user and what is stored about them')
    .option('--yes', 'do not ask; required without a terminal')
    .action(deleteUser)
}

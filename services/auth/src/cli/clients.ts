import { type Command, Option } from 'commander'
import { addClient, listClients, setClientDisabled, showClient } from './client-commands.ts'
import { addAuthOptions, keysOption } from './options.ts'

/** Appends the value of an option that may be repeated. */
const collect = (value: string, values: string[] = []): string[] => [...values, value]

/** `latchkey clients …` */
export function addClients(program: Command): void {
  const clients = program
    .command('clients')
    .description(
      'register the apps that people sign in to, as the operator: with the key file of auth',
    )
  const add = (name: string, description: string) =>
    addAuthOptions(
      clients.command(name).description(description).addOption(keysOption().makeOptionMandatory()),
    )

  add('add <id>', 'add a client, or replace what it may do; prints its secret')
    .requiredOption(
      '-r, --redirect-uri <uri>',
      'where users return to after the login; may be repeated',
      collect,
    )
    .option(
      '--post-logout-uri <uri>',
      'where users may return to after the logout; may be repeated',
      collect,
    )
    .option(
      '-a, --audiences <names>',
      'services that accept its tokens, separated by commas; default: its ID',
    )
    .option('--scope <scope>', 'what it may ask for', 'openid profile email')
    .option('--public', 'an app in a browser or on a device, which cannot keep a secret')
    .addOption(new Option('--no-secret', 'do not print the secret'))
    .action(addClient)
  add('list', 'list all clients').action(listClients)
  add('show <id>', 'print a client').option('--secret', 'print its secret too').action(showClient)
  add(
    'disable <id>',
    'disable a client: nobody can sign in, and no session of it is refreshed',
  ).action(setClientDisabled(true))
  add('enable <id>', 'enable a client that was disabled').action(setClientDisabled(false))
}

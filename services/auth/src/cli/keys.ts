import { type Command, Option } from 'commander'
import { type Algorithm, algorithms, createJwkSet } from '../keys/jwk.ts'
import {
  changeKeyFiles,
  type KeyFiles,
  listServices,
  serviceFile,
  writeNewKeyFile,
} from '../keys/key-file.ts'
import { list, status } from './key-report.ts'
import { add, promote, retire } from './key-rotation.ts'
import { addAuthOptions, keysOption } from './options.ts'
import { printLine } from './print.ts'

const requiredKeysOption = () => keysOption().makeOptionMandatory()

const serviceKeysOption = () =>
  new Option(
    '-s, --service-keys <folder>',
    "folder of the services' key files, <service>/keys.json; those in it are kept up to date",
  ).env('LATCHKEY_SERVICE_KEYS')

const servicesOption = () =>
  new Option('--service <name...>', 'services to write a key file for, in --service-keys').default(
    [],
    'none',
  )

const algorithmOption = () =>
  new Option(
    '--alg <algorithm>',
    'HS256: a secret that all services share. ES256: a key pair; only auth can sign',
  )
    .choices(algorithms)
    .default('HS256')

/** `latchkey keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('create a key file and rotate its keys')

  keys
    .command('generate')
    .description(
      'create the key file of auth, with keys for access, refresh and ID tokens, and services',
    )
    .requiredOption('-o, --out <file>', 'file to create; an existing file is not overwritten')
    .addOption(algorithmOption())
    .addOption(serviceKeysOption())
    .addOption(servicesOption())
    .action(generate)
  keys
    .command('export')
    .description("write the services' key files: the keys that verify, and the service's own key")
    .addOption(requiredKeysOption())
    .addOption(serviceKeysOption().makeOptionMandatory())
    .addOption(servicesOption())
    .action(exportKeys)
  keys
    .command('list')
    .description('list the keys in the file, without their secrets')
    .addOption(requiredKeysOption())
    .action(list)
  addAuthOptions(keys.command('status').addOption(requiredKeysOption()))
    .description(
      'list the keys that each verifier has, and the keys whose tokens may still be valid',
    )
    .action(status)
  keys
    .command('add')
    .description('add a key that verifies; it signs once it is promoted')
    .argument('[kid]', 'key ID; default: the date and a random suffix')
    .addOption(algorithmOption())
    .addOption(new Option('--root', 'add a root key, from which keys of services are derived'))
    .addOption(
      new Option('--id-token', 'add a key for ID tokens (RS256), for OpenID Connect').conflicts(
        'root',
      ),
    )
    .addOption(requiredKeysOption())
    .addOption(serviceKeysOption())
    .action(add)
  addAuthOptions(keys.command('promote').addOption(requiredKeysOption()))
    .description(
      'sign new tokens with a key, or derive from a root key; refused until every verifier has it',
    )
    .argument('[kid]', 'key to promote; default: the key for access tokens added last')
    .addOption(serviceKeysOption())
    .option('--force', 'promote even if verifiers lack the key or auth does not answer')
    .action(promote)
  addAuthOptions(keys.command('retire').addOption(requiredKeysOption()))
    .description('remove a key; refused until all tokens signed with it have expired')
    .argument('<kid>', 'key to remove')
    .addOption(serviceKeysOption())
    .option('--force', 'remove even if tokens signed with it may still be valid')
    .action(retire)
}

type ExportOptions = KeyFiles & { service: string[] }

async function generate(options: Omit<ExportOptions, 'keys'> & { out: string; alg: Algorithm }) {
  const { out, alg, serviceKeys, service } = options
  if (serviceKeys === undefined && service.length > 0) {
    throw new Error('--service requires --service-keys <folder>')
  }
  const set = createJwkSet(alg)
  await writeNewKeyFile(out, set)
  printLine(
    `Wrote ${out} (only its owner can read it). Access tokens are signed with ${set.keys[0]?.kid}.`,
  )
  printLine(`Start the auth service with LATCHKEY_KEYS_FILE=${out}`)
  if (serviceKeys !== undefined) await exportKeys({ keys: out, serviceKeys, service })
  else printLine('For each of the other services, run: latchkey keys export --service <name>')
}

async function exportKeys({ service, ...files }: ExportOptions): Promise<void> {
  const { serviceKeys = '' } = files
  await changeKeyFiles(files, () => {}, service)
  const written = await listServices(serviceKeys)
  if (written.length === 0) throw new Error(`${serviceKeys} has no key file; pass --service <name>`)
  for (const name of written) {
    const file = serviceFile(serviceKeys, name)
    printLine(`Wrote ${file}. Start ${name} with LATCHKEY_KEYS_FILE=${file}`)
  }
}

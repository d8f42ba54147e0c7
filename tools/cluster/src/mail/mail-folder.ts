import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A folder that keeps the newest mails, as `<time>-<address>.eml`, readable by their owner alone. */
export interface MailFolder {
  /** Stores a mail under a file name that is new and sorts after all others. */
  keep(address: string, mail: Uint8Array): Promise<void>
}

/** Opens a folder for at most `maxFiles` mails. Creates it, and removes the oldest ones. */
export async function openMailFolder(folder: string, maxFiles: number): Promise<MailFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = (await readdir(folder)).filter((name) => name.endsWith('.eml')).sort()
  const removeOldest = async () => {
    const oldest = names.splice(0, Math.max(0, names.length - maxFiles))
    for (const name of oldest) await rm(join(folder, name), { force: true })
  }
  await removeOldest()
  let lastMs = 0
  return {
    async keep(address, mail) {
      lastMs = Math.max(Date.now(), lastMs + 1)
      const time = new Date(lastMs).toISOString().replaceAll(':', '-')
      const name = `${time}-${toFileName(address)}.eml`
      await writeFile(join(folder, name), mail, { flag: 'wx', mode: 0o600 })
      names.push(name)
      await removeOldest()
    },
  }
}

/** Only characters that have no meaning to a file system or a shell. */
const toFileName = (address: string) => address.replaceAll(/[^\w.@+-]/g, '_').slice(0, 100)

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { kubectl, unpackKubectl } from './kubectl.ts'
import type { KubeObject } from './objects.ts'

const folder = join(import.meta.dirname, '..')

/** An overlay with some of the components. */
export interface Rendering {
  readonly name: string
  readonly overlay: 'dev' | 'production'
  readonly components: readonly string[]
  readonly objects: KubeObject[]
}

const overlays = ['dev', 'production'] as const
const choices = [
  [],
  ['cloudnative-pg'],
  ['prometheus-operator'],
  ['opentelemetry'],
  ['cloudnative-pg', 'prometheus-operator', 'opentelemetry'],
]

/** Every overlay with every choice of components, as `kubectl kustomize` renders it. */
export async function renderAll(): Promise<Rendering[]> {
  await unpackKubectl()
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-k8s-'))
  try {
    for (const part of ['base', 'components', 'overlays']) {
      cpSync(join(folder, part), join(copy, part), { recursive: true })
    }
    return overlays.flatMap((overlay) =>
      choices.map((components) => ({
        name: [overlay, ...components].join(' + '),
        overlay,
        components,
        objects: renderWith(join(copy, 'overlays', overlay), components),
      })),
    )
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/** An overlay as it lies in the repository. */
export async function renderOverlay(overlay: Rendering['overlay']): Promise<KubeObject[]> {
  await unpackKubectl()
  return render(join(folder, 'overlays', overlay))
}

function renderWith(overlayFolder: string, components: readonly string[]): KubeObject[] {
  const file = join(overlayFolder, 'kustomization.yaml')
  const kustomization = parse(readFileSync(file, 'utf8'))
  kustomization.components = components.map((component) => `../../components/${component}`)
  writeFileSync(file, stringify(kustomization))
  return render(overlayFolder)
}

function render(overlayFolder: string): KubeObject[] {
  return parseAllDocuments(kubectl(['kustomize', overlayFolder])).map((document) => document.toJS())
}

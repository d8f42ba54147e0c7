import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { program } from './kubectl.ts'
import type { KubeObject } from './objects.ts'

const folder = join(import.meta.dirname, '..')
const all = ['cloudnative-pg', 'prometheus-operator', 'opentelemetry', 'mail']
const gateway = 'gateway-api'
const choices = [[], ...[...all, gateway].map((one) => [one]), [...all, gateway], all]

/** Renders every overlay with every choice of components. */
export function renderAll() {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-k8s-'))
  const renderWith = (overlay: string, components: string[]) => {
    const file = join(copy, 'overlays', overlay, 'kustomization.yaml')
    const paths = components.map((component) => `../../components/${component}`)
    writeFileSync(file, stringify({ ...parse(readFileSync(file, 'utf8')), components: paths }))
    const name = [overlay, ...components].join(' + ')
    return { name, components, objects: renderOverlay(overlay, copy) }
  }
  try {
    const isSource = (path: string) => !/node_modules|test$/.test(path.slice(folder.length))
    cpSync(folder, copy, { recursive: true, filter: isSource })
    const render = (overlay: string) => choices.map((choice) => renderWith(overlay, choice))
    return ['dev', 'production'].flatMap(render)
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/** Renders an overlay as the repository has it. */
export function renderOverlay(overlay: string, from = folder): KubeObject[] {
  const { stdout } = execaSync(program, ['kustomize', join(from, 'overlays', overlay)])
  return parseAllDocuments(stdout).map((one) => one.toJS())
}

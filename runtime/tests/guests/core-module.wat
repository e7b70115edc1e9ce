;; A core module, not a component: the runtime must say so, and how to build a component.
(module
  (memory (export "memory") 1)
  (func (export "run") (result i32)
    i32.const 42))

(module (table 1 funcref)
  (func (export "run") (loop $again (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))))
    (table.set (i32.const 20000) (ref.null func))))

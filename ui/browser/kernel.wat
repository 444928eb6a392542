;; The kernel: what a network's layers cost, four numbers at once.
;;
;; Its bytes are in kernel_bytes.js: `npm run kernel` makes them of this file, and a test holds that
;; they are what it gives. arithmetic.js says the same in JavaScript, for browsers without SIMD.
;;
;; All numbers are float32 in one memory; addresses, lengths and steps are in bytes. The rows of a
;; weight lie four together: first the first value of each of the four, then the second of each …

(module
  (memory (export "memory") 1)

  ;; y = weight x + bias.
  ;; $y to $end: four rows or more, a multiple of four. $width: a multiple of four values; the
  ;; weights of those that x doesn't have are 0. Four sums: one would wait for its last addition.
  (func (export "affine")
    (param $weight i32) (param $bias i32) (param $x i32) (param $width i32)
    (param $y i32) (param $end i32)
    (local $at i32) (local $last i32)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local.set $last (i32.add (local.get $x) (local.get $width)))
    (loop $rows
      (local.set $s0 (v128.load (local.get $bias)))
      (local.set $s1 (v128.const f32x4 0 0 0 0))
      (local.set $s2 (local.get $s1))
      (local.set $s3 (local.get $s1))
      (local.set $at (local.get $x))
      (loop $values
        (local.set $s0 (f32x4.add (local.get $s0) (f32x4.mul
          (v128.load32_splat (local.get $at)) (v128.load (local.get $weight)))))
        (local.set $s1 (f32x4.add (local.get $s1) (f32x4.mul
          (v128.load32_splat offset=4 (local.get $at)) (v128.load offset=16 (local.get $weight)))))
        (local.set $s2 (f32x4.add (local.get $s2) (f32x4.mul
          (v128.load32_splat offset=8 (local.get $at)) (v128.load offset=32 (local.get $weight)))))
        (local.set $s3 (f32x4.add (local.get $s3) (f32x4.mul
          (v128.load32_splat offset=12 (local.get $at)) (v128.load offset=48 (local.get $weight)))))
        (local.set $weight (i32.add (local.get $weight) (i32.const 64)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $values (i32.lt_u (local.get $at) (local.get $last))))
      (v128.store (local.get $y) (f32x4.add
        (f32x4.add (local.get $s0) (local.get $s1)) (f32x4.add (local.get $s2) (local.get $s3))))
      (local.set $bias (i32.add (local.get $bias) (i32.const 16)))
      (local.set $y (i32.add (local.get $y) (i32.const 16)))
      (br_if $rows (i32.lt_u (local.get $y) (local.get $end)))))

  ;; target[m, n] = bias[m] + sum over k of weight[m, k] source[places[k] + n], a matrix product.
  ;; The rows of the source begin wherever $places (int32, bytes, $depth of them in all) says, and
  ;; may overlap: with the places of a pixel's neighbours it is a convolution of planes that have a
  ;; margin, and nothing has to be laid out for it.
  ;; $groups: of four rows. $columns: of the target and its rows' length, a multiple of eight
  ;; values. Four rows of eight columns at once are what the registers of most processors hold.
  (func (export "product")
    (param $weight i32) (param $bias i32) (param $groups i32)
    (param $places i32) (param $depth i32)
    (param $source i32) (param $target i32) (param $columns i32)
    (local $column i32) (local $group i32) (local $k i32) (local $last i32)
    (local $w i32) (local $at i32) (local $v v128) (local $left v128) (local $right v128)
    (local $a0 v128) (local $a1 v128) (local $b0 v128) (local $b1 v128)
    (local $c0 v128) (local $c1 v128) (local $d0 v128) (local $d1 v128)
    (local.set $last (i32.add (local.get $places) (local.get $depth)))
    (loop $across
      (local.set $w (local.get $weight))
      (local.set $group (i32.const 0))
      (loop $down
        (local.set $at (i32.add (local.get $bias) (i32.shl (local.get $group) (i32.const 4))))
        (local.set $a1 (local.tee $a0 (v128.load32_splat (local.get $at))))
        (local.set $b1 (local.tee $b0 (v128.load32_splat offset=4 (local.get $at))))
        (local.set $c1 (local.tee $c0 (v128.load32_splat offset=8 (local.get $at))))
        (local.set $d1 (local.tee $d0 (v128.load32_splat offset=12 (local.get $at))))
        (local.set $k (local.get $places))
        (loop $sum
          (local.set $at (i32.add
            (i32.add (local.get $source) (local.get $column)) (i32.load (local.get $k))))
          (local.set $left (v128.load (local.get $at)))
          (local.set $right (v128.load offset=16 (local.get $at)))
          (local.set $v (v128.load32_splat (local.get $w)))
          (local.set $a0 (f32x4.add (local.get $a0) (f32x4.mul (local.get $v) (local.get $left))))
          (local.set $a1 (f32x4.add (local.get $a1) (f32x4.mul (local.get $v) (local.get $right))))
          (local.set $v (v128.load32_splat offset=4 (local.get $w)))
          (local.set $b0 (f32x4.add (local.get $b0) (f32x4.mul (local.get $v) (local.get $left))))
          (local.set $b1 (f32x4.add (local.get $b1) (f32x4.mul (local.get $v) (local.get $right))))
          (local.set $v (v128.load32_splat offset=8 (local.get $w)))
          (local.set $c0 (f32x4.add (local.get $c0) (f32x4.mul (local.get $v) (local.get $left))))
          (local.set $c1 (f32x4.add (local.get $c1) (f32x4.mul (local.get $v) (local.get $right))))
          (local.set $v (v128.load32_splat offset=12 (local.get $w)))
          (local.set $d0 (f32x4.add (local.get $d0) (f32x4.mul (local.get $v) (local.get $left))))
          (local.set $d1 (f32x4.add (local.get $d1) (f32x4.mul (local.get $v) (local.get $right))))
          (local.set $w (i32.add (local.get $w) (i32.const 16)))
          (br_if $sum (i32.lt_u
            (local.tee $k (i32.add (local.get $k) (i32.const 4))) (local.get $last))))
        (local.set $at (i32.add
          (i32.add (local.get $target) (local.get $column))
          (i32.mul (i32.shl (local.get $group) (i32.const 2)) (local.get $columns))))
        (v128.store (local.get $at) (local.get $a0))
        (v128.store offset=16 (local.get $at) (local.get $a1))
        (local.set $at (i32.add (local.get $at) (local.get $columns)))
        (v128.store (local.get $at) (local.get $b0))
        (v128.store offset=16 (local.get $at) (local.get $b1))
        (local.set $at (i32.add (local.get $at) (local.get $columns)))
        (v128.store (local.get $at) (local.get $c0))
        (v128.store offset=16 (local.get $at) (local.get $c1))
        (local.set $at (i32.add (local.get $at) (local.get $columns)))
        (v128.store (local.get $at) (local.get $d0))
        (v128.store offset=16 (local.get $at) (local.get $d1))
        (br_if $down (i32.lt_u
          (local.tee $group (i32.add (local.get $group) (i32.const 1))) (local.get $groups))))
      (br_if $across (i32.lt_u
        (local.tee $column (i32.add (local.get $column) (i32.const 32))) (local.get $columns)))))

  ;; (outer + slope x) / (1 + exp(-inner x)) + shift, in place: the logistic function, tanh and
  ;; silu are of this family. The exponential is Cephes's expf: a power of two, which is written
  ;; into the exponent's bits, times a polynomial of what is left.
  (func (export "curve")
    (param $at i32) (param $end i32)
    (param $inner f32) (param $outer f32) (param $slope f32) (param $shift f32)
    (local $x v128) (local $t v128) (local $n v128) (local $p v128)
    (loop $values
      (local.set $x (v128.load (local.get $at)))
      (local.set $t (f32x4.min (v128.const f32x4 87 87 87 87) (f32x4.max
        (v128.const f32x4 -87 -87 -87 -87)
        (f32x4.neg (f32x4.mul (f32x4.splat (local.get $inner)) (local.get $x))))))
      (local.set $n (f32x4.nearest (f32x4.mul (local.get $t)
        (f32x4.splat (f32.const 1.44269504)))))
      (local.set $t (f32x4.sub
        (f32x4.sub (local.get $t) (f32x4.mul (local.get $n) (f32x4.splat (f32.const 0.693359375))))
        (f32x4.mul (local.get $n) (f32x4.splat (f32.const -2.12194440e-4)))))
      (local.set $p (f32x4.splat (f32.const 1.9875691500e-4)))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 1.3981999507e-3))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 8.3334519073e-3))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 4.1665795894e-2))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 1.6666665459e-1))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 5.0000001201e-1))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 1))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t))
        (f32x4.splat (f32.const 1))))
      (local.set $p (f32x4.mul (local.get $p) (i32x4.shl
        (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $n)) (i32x4.splat (i32.const 127)))
        (i32.const 23))))
      (local.set $t (f32x4.add (f32x4.splat (local.get $outer))
        (f32x4.mul (f32x4.splat (local.get $slope)) (local.get $x))))
      (v128.store (local.get $at) (f32x4.add (f32x4.splat (local.get $shift))
        (f32x4.div (local.get $t) (f32x4.add (local.get $p) (f32x4.splat (f32.const 1))))))
      (br_if $values (i32.lt_u
        (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))))

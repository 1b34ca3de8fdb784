// Hello.class is made from this by `javac --release 8 -g:none`.
class Hello {
    public static void main(String[] words) throws Exception {
        System.out.println("hello " + javax.net.ssl.SSLContext.getDefault().getProtocol());
    }
}
